package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/provider/backend"
)

const (
	gatewayAnnotation  = "com.openfaas.federation.gateway"
	overflowAnnotation = "com.openfaas.federation.overflow"
)

// TestFederation runs three real providers under one federation: two with a
// Lambda of their own, and one in memory.
func TestFederation(t *testing.T) {
	f := startFleet(t)
	f.deploy(t, annotated("one"))
	f.deploy(t, annotated("two", gatewayAnnotation, "lambda-two"))
	f.deploy(t, annotated("three", gatewayAnnotation, "memory"))
	t.Run("deploy, list and invoke", func(t *testing.T) { f.checkPlaces(t) })
	t.Run("info, logs and secrets", func(t *testing.T) { f.checkAbilities(t) })
	t.Run("move under load", func(t *testing.T) { f.checkMove(t) })
	t.Run("overflow under throttling", func(t *testing.T) { f.checkOverflow(t) })
	t.Run("budget", func(t *testing.T) { f.checkBudget(t) })
	t.Run("moves that are killed", func(t *testing.T) { f.checkKilledMoves(t) })
	t.Run("a child is killed and comes back under load", func(t *testing.T) { f.checkOutage(t) })
}

func (f *fleet) checkPlaces(t *testing.T) {
	for function, part := range map[string]string{"one": "lambda-one", "two": "lambda-two", "three": "memory"} {
		if at := f.at(t, function); at != part {
			t.Errorf("%s is at %s, want %s", function, at, part)
		}
		// As faas-cli names it.
		answer := f.ask(t, "POST", "/function/"+function+".openfaas-fn/path?q=1", "hello")
		if answer.Status != http.StatusOK || string(answer.Body) != "hello" || answer.Header.Get(backend.ServedByHeader) != part {
			t.Errorf("%s: %d %q by %s", function, answer.Status, answer.Body, answer.Header.Get(backend.ServedByHeader))
		}
	}
	var listed []types.FunctionStatus
	answer := f.ask(t, "GET", "/system/functions", "")
	if err := json.Unmarshal(answer.Body, &listed); err != nil || len(listed) != 3 || answer.Header.Get(backend.MissingHeader) != "" {
		t.Errorf("%d functions, %v, %v", len(listed), answer.Header, err)
	}
	if answer := f.ask(t, "GET", "/function/none", ""); answer.Status != http.StatusNotFound {
		t.Errorf("a function that is nowhere: %d %s", answer.Status, answer.Body)
	}
	bad := annotated("bad", gatewayAnnotation, "nowhere")
	bad.Image = f.image
	if answer, err := f.federation.Deploy(t.Context(), bad); err != nil || answer.Status != http.StatusBadRequest || !strings.Contains(string(answer.Body), "lambda-one, lambda-two, memory") {
		t.Errorf("deploy to nowhere: %d %s, %v", answer.Status, answer.Body, err)
	}
}

func (f *fleet) checkAbilities(t *testing.T) {
	var info struct {
		Orchestration string
		Parts         []backend.Part
	}
	if err := json.Unmarshal(f.ask(t, "GET", "/system/info", "").Body, &info); err != nil {
		t.Fatal(err)
	}
	if info.Orchestration != "federation" || len(info.Parts) != 3 || info.Parts[0].Orchestration != "lambda" || info.Parts[2].Orchestration != "memory" || info.Parts[1].State != "up" {
		t.Errorf("info %+v", info)
	}
	for function, part := range map[string]string{"one": "lambda-one", "three": "memory"} {
		here := f.ask(t, "GET", "/system/logs?name="+function, "")
		there, err := f.parts[part].Do(t.Context(), "GET", "/system/logs?name="+function, nil)
		if err != nil || here.Status != there.Status || (len(here.Body) == 0) != (len(there.Body) == 0) {
			t.Errorf("logs of %s: %d with %d bytes, from %s itself %d, %v", function, here.Status, len(here.Body), part, there.Status, err)
		}
	}
	if answer := f.ask(t, "GET", "/system/logs?name=three", ""); !strings.Contains(string(answer.Body), `"text":"POST /path?q=1 200 5 bytes"`) {
		t.Errorf("logs: %d %s", answer.Status, answer.Body)
	}
	if answer := f.ask(t, "POST", "/system/secrets", `{"name":"token","value":"hidden"}`); answer.Status != http.StatusCreated {
		t.Fatalf("create secret: %d %s", answer.Status, answer.Body)
	}
	for name, part := range f.parts {
		answer, err := part.Do(t.Context(), "GET", "/system/secrets", nil)
		if err != nil || !strings.Contains(string(answer.Body), `"token"`) || strings.Contains(string(answer.Body), "hidden") {
			t.Errorf("secrets of %s: %d %s, %v", name, answer.Status, answer.Body, err)
		}
	}
	if answer := f.ask(t, "POST", "/system/scale-function/three", `{"replicas":2}`); answer.Status != http.StatusAccepted {
		t.Errorf("scale: %d %s", answer.Status, answer.Body)
	}
	if answer := f.ask(t, "GET", "/system/function/three?usage=1", ""); !strings.Contains(string(answer.Body), `"replicas":2`) || !strings.Contains(string(answer.Body), `"usage"`) {
		t.Errorf("status: %s", answer.Body)
	}
	if answer := f.ask(t, "GET", "/system/namespaces", ""); strings.TrimSpace(string(answer.Body)) != `["openfaas-fn"]` {
		t.Errorf("namespaces: %s", answer.Body)
	}
}

// checkMove sends a function from memory to Lambda, to the other Lambda and
// back, while it is invoked.
func (f *fleet) checkMove(t *testing.T) {
	l := f.startLoad(t.Context(), 2, "three")
	for _, to := range []string{"lambda-one", "lambda-two", "memory"} {
		f.deploy(t, annotated("three", gatewayAnnotation, to))
		if at := f.at(t, "three"); at != to {
			t.Errorf("is at %s, want %s", at, to)
		}
		l.until(t, "an answer of "+to, func(now map[string]*tally) bool { return now["three"].by[to] > 0 })
	}
	if tallies := l.end(t, "moving from memory to Lambda, to another Lambda and back"); tallies["three"].failed != 0 {
		t.Errorf("%d invocations failed while the function moved", tallies["three"].failed)
	}
}

// checkOverflow invokes a function at once more often than Lambda may.
func (f *fleet) checkOverflow(t *testing.T) {
	f.deploy(t, annotated("busy", gatewayAnnotation, "lambda-one", overflowAnnotation, "memory", "com.openfaas.lambda/reserved-concurrency", "1"))
	if at := f.at(t, "busy"); at != "lambda-one memory" {
		t.Errorf("is at %s", at)
	}
	l := f.startLoad(t.Context(), 8, "busy")
	l.until(t, "answers of both", func(now map[string]*tally) bool {
		return now["busy"].by["lambda-one"] > 20 && now["busy"].by["memory"] > 20
	})
	large := make([]byte, 7<<20) // more than Lambda's payload
	_, _ = rand.NewChaCha8([32]byte{}).Read(large)
	answer, err := f.federation.Do(t.Context(), "POST", "/function/busy", large)
	if err != nil || answer.Status != http.StatusOK || !bytes.Equal(answer.Body, large) {
		t.Errorf("a large request: %d with %d bytes, %v", answer.Status, len(answer.Body), err)
	}
	if tallies := l.end(t, "8 at once, of which Lambda takes one"); tallies["busy"].failed != 0 {
		t.Errorf("%d invocations failed", tallies["busy"].failed)
	}
}

// checkBudget uses up what a function may use of its home, also over a restart.
func (f *fleet) checkBudget(t *testing.T) {
	f.deploy(t, annotated("thrifty", gatewayAnnotation, "memory", overflowAnnotation, "lambda-one", "com.openfaas.federation.budget", "requests=5"))
	var by []string
	call := func() {
		answer := f.ask(t, "POST", "/function/thrifty", "x")
		if answer.Status != http.StatusOK {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
		by = append(by, answer.Header.Get(backend.ServedByHeader))
	}
	for range 7 {
		call()
	}
	if err := f.federation.Stop(); err != nil {
		t.Error(err)
	}
	f.federate(t)
	// What was used is asked for at the start, beside all else.
	for !strings.Contains(string(f.ask(t, "GET", "/metrics", "").Body), `faas_lambda_federation_budget_used_ratio{function_name="thrifty"`) {
		if t.Context().Err() != nil {
			t.Fatal("nobody asks what was used")
		}
	}
	call()
	if diff := cmp.Diff([]string{"memory", "memory", "memory", "memory", "memory", "lambda-one", "lambda-one", "lambda-one"}, by); diff != "" {
		t.Error(diff)
	}
}

// checkKilledMoves kills the federation as soon as a function that moves is at
// its new place, and looks at what the next one makes of it.
func (f *fleet) checkKilledMoves(t *testing.T) {
	for i, to := range []string{"lambda-one", "memory", "lambda-two", "memory"} {
		d := annotated("three", gatewayAnnotation, to)
		d.Image = f.image
		var moving chan string
		for !strings.Contains(f.at(t, "three"), to) {
			if t.Context().Err() != nil {
				t.Fatal("it never comes to its new place")
			}
			select {
			case said := <-moving:
				// What the killed one began may still be under way there.
				t.Logf("move %d to %s, again: %s", i, to, said)
				moving = nil
			default:
			}
			if moving == nil {
				moving = make(chan string, 1)
				go func(to chan<- string, federation *fixture.Up) {
					answer, err := federation.Deploy(context.WithoutCancel(t.Context()), d)
					to <- fmt.Sprintf("%d %s %v", answer.Status, answer.Body, err)
				}(moving, f.federation)
			}
		}
		if err := f.federation.Kill(); err != nil && !strings.Contains(err.Error(), "finished") {
			t.Fatal(err)
		}
		if moving != nil {
			<-moving
		}
		f.federate(t)
		// The new copy may not be ready yet; until it is, the old one serves.
		for done := false; !done; {
			done = f.at(t, "three") == to
			answer := f.ask(t, "POST", "/function/three", "hello")
			if by := answer.Header.Get(backend.ServedByHeader); answer.Status != http.StatusOK || done && by != to {
				t.Fatalf("move %d to %s: %d %s by %s", i, to, answer.Status, answer.Body, by)
			}
			if t.Context().Err() != nil {
				t.Fatalf("move %d to %s is never settled", i, to)
			}
		}
	}
}

// checkOutage kills a provider and starts it again, while functions everywhere
// are invoked.
func (f *fleet) checkOutage(t *testing.T) {
	f.deploy(t, annotated("safe", gatewayAnnotation, "lambda-two", overflowAnnotation, "memory"))
	l := f.startLoad(t.Context(), 2, "one", "two", "three", "safe")
	l.moreOf(t, 100)
	address, err := url.Parse(f.parts["lambda-two"].URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.parts["lambda-two"].Kill(); err != nil && !strings.Contains(err.Error(), "finished") {
		t.Fatal(err)
	}
	l.until(t, "an answer in the place of what is down", func(now map[string]*tally) bool { return now["safe"].by["memory"] > 0 && now["two"].failed > 10 })
	answer := f.ask(t, "GET", "/system/functions", "")
	if missing := answer.Header.Get(backend.MissingHeader); answer.Status != http.StatusOK || !strings.HasPrefix(missing, "lambda-two: ") || !strings.Contains(string(answer.Body), `"three"`) {
		t.Errorf("list while it is down: %d, missing %q", answer.Status, missing)
	}
	if metrics := f.ask(t, "GET", "/metrics", ""); !strings.Contains(string(metrics.Body), `faas_lambda_federation_up{part="lambda-two"} 0`) {
		t.Error("no metric says that it is down")
	}
	l.moreOf(t, 100)
	f.start(t, "lambda-two", port)
	back := 0
	l.mu.Lock()
	before := l.tallies["two"].by["lambda-two"]
	l.mu.Unlock()
	l.until(t, "answers after it came back", func(now map[string]*tally) bool {
		back = now["two"].by["lambda-two"] - before
		return back > 50
	})
	tallies := l.end(t, "lambda-two is killed and comes back")
	for _, function := range []string{"one", "three"} {
		if tallies[function].failed != 0 {
			t.Errorf("%s is not where it was down: %d failed", function, tallies[function].failed)
		}
	}
	// What had been sent when it died may have been done there, and is not
	// sent anywhere else. All else is served at the second place.
	for text, n := range tallies["safe"].errors {
		if !strings.Contains(text, "reset") && !strings.Contains(text, "EOF") && !strings.Contains(text, "broken pipe") {
			t.Errorf("safe has a second place, and failed %d times: %s", n, text)
		}
	}
	if tallies["two"].failed == 0 {
		t.Error("nothing failed where it was down: was it?")
	}
}
