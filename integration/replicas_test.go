package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// TestReplicasRollUnderLoad restarts the replicas one after the other, as an
// upgrade does, ROUNDS times, while RATE requests a second come. None fails.
func TestReplicasRollUnderLoad(t *testing.T) {
	r := replicate(t)
	rate, rounds := number(t, "RATE", 50), number(t, "ROUNDS", 1)
	var functions []string
	for i := range 4 {
		functions = append(functions, fmt.Sprint("f", i))
		if answer, err := r.deploy(t.Context(), i%2, functions[i], "0"); err != nil || answer.Status != http.StatusAccepted {
			t.Fatalf("deploy: %d %s, %v", answer.Status, answer.Body, err)
		}
	}
	load := startTraffic(t.Context(), r.URL, rate, r.image, functions...)
	load.moreOf(t, 2*rate)
	for range rounds {
		for i, old := range r.replicas {
			if err := old.Terminate(); err != nil {
				t.Fatal(err)
			}
			r.until(t, old.URL, false)
			if err := old.Wait(); err != nil {
				t.Errorf("replica %d ended: %v", i, err)
			}
			r.remove(old.URL)
			r.start(t, i)
			r.until(t, r.replicas[i].URL, true)
			load.moreOf(t, rate)
		}
	}
	load.end(t, fmt.Sprintf("%d rolling restarts of both replicas", rounds))
	for function, generation := range load.serving {
		for i, replica := range r.replicas { // each keeps what it knows for a moment
			eventually(t, fmt.Sprintf("replica %d serves generation %s of %s, which was deployed last", i, generation, function), func() bool {
				answer, err := replica.Do(t.Context(), http.MethodGet, "/system/function/"+function, nil)
				return err == nil && strings.Contains(string(answer.Body), fmt.Sprintf(`"GENERATION":%q`, generation))
			})
		}
	}
}

// awsCall says which calls to AWS are meant, by method and the end of the path.
func awsCall(method, suffix string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, suffix) }
}

// changes are the calls of a deployment of a function that is there, in order.
var changes = []struct {
	name string
	call func(*http.Request) bool
}{
	{"UpdateFunctionConfiguration", awsCall(http.MethodPut, "/configuration")},
	{"PublishVersion", awsCall(http.MethodPost, "/versions")},
	{"UpdateAlias", awsCall(http.MethodPut, "/aliases/live")},
	{"TagResource", func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/tags/")
	}},
}

// TestReplicasDeployOneFunctionAtOnce holds the deployment of one replica at each
// of its calls while the other replica makes one of its own. One of them wins,
// the other gets a 409, and what serves is whole.
func TestReplicasDeployOneFunctionAtOnce(t *testing.T) {
	r := replicate(t)
	for i, change := range changes {
		for _, done := range []bool{false, true} {
			name := fmt.Sprintf("%s done=%t", change.name, done)
			if answer, err := r.deploy(t.Context(), 0, "f", fmt.Sprint("before ", i, done)); err != nil || answer.Status != http.StatusAccepted {
				t.Fatalf("%s: deploy: %d %s, %v", name, answer.Status, answer.Body, err)
			}
			gate := r.lines[0].hold(done, change.call)
			first := make(chan fixture.Answer, 1)
			go func() {
				answer, err := r.deploy(t.Context(), 0, "f", "first "+name)
				if err != nil {
					t.Error(err)
				}
				first <- answer
			}()
			select {
			case <-gate.held:
			case answer := <-first:
				t.Fatalf("%s: the deployment was never there: %d %s", name, answer.Status, answer.Body)
			}
			second, err := r.deploy(t.Context(), 1, "f", "second "+name)
			if err != nil {
				t.Fatal(err)
			}
			close(gate.open)
			codes := map[string]int{"first " + name: (<-first).Status, "second " + name: second.Status}
			won, conflicts := "", 0
			for generation, code := range codes {
				switch code {
				case http.StatusAccepted:
					won = generation
				case http.StatusConflict:
					conflicts++
				}
			}
			if won == "" || conflicts != 1 {
				t.Errorf("%s: the deployments got %v", name, codes)
				continue
			}
			for i := range r.replicas {
				r.comesToServe(t, i, "f", won)
			}
		}
	}
}

// takeOver is when a change that nobody goes on with is taken to be left.
const takeOver = 2 * time.Minute

// settles waits until lists of replica 1 have brought f to rest: AWS has no
// change of it that is not finished.
func (r *replicated) settles(t *testing.T, name string) {
	t.Helper()
	type function struct {
		Configuration struct{ Description string }
		Tags          map[string]string
	}
	read := func(query string) (f function) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.up.AWS+"/2015-03-31/functions/f"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if err := json.NewDecoder(answer.Body).Decode(&f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	eventually(t, name+": a list that finishes what the other replica left", func() bool {
		if answer, err := r.replicas[1].Do(t.Context(), http.MethodGet, "/system/functions", nil); err != nil || answer.Status != http.StatusOK {
			t.Fatalf("list: %d %s, %v", answer.Status, answer.Body, err)
		}
		latest, live := read(""), read("?Qualifier=live")
		return latest.Configuration.Description != "" && latest.Configuration.Description == live.Configuration.Description && latest.Tags["faas-lambda:pending"] == ""
	})
}

// TestReplicaKilledWhileItDeploys kills a replica at each call of a deployment.
// Nobody leads: the other replica's next look, two minutes later by AWS's clock,
// completes the deployment or undoes it.
func TestReplicaKilledWhileItDeploys(t *testing.T) {
	r := replicate(t)
	for i, change := range changes {
		name := change.name
		if answer, err := r.deploy(t.Context(), 0, "f", "old"); err != nil || answer.Status != http.StatusAccepted {
			t.Fatalf("%s: deploy: %d %s, %v", name, answer.Status, answer.Body, err)
		}
		gate := r.lines[0].hold(i%2 == 0, change.call)
		cut := make(chan error, 1)
		go func() {
			answer, err := r.deploy(context.WithoutCancel(t.Context()), 0, "f", "new")
			if err == nil {
				err = fmt.Errorf("%s: answered %d %s", name, answer.Status, answer.Body)
			} else {
				err = nil
			}
			cut <- err
		}()
		select {
		case <-gate.held:
		case err := <-cut:
			t.Fatalf("%s: the deployment was never there: %v", name, err)
		}
		killed := r.replicas[0]
		if err := killed.Kill(); err != nil {
			t.Fatal(err)
		}
		close(gate.open)
		if err := <-cut; err != nil {
			t.Error(err)
		}
		r.remove(killed.URL)
		_, serving := r.serves(t, 1, "f")
		if serving != "old" && serving != "new" {
			t.Errorf("%s: %q serves", name, serving)
		}
		r.lines[1].set(func(l *awsLine) { l.later = takeOver })
		r.settles(t, name)
		r.comesToServe(t, 1, "f", serving)
		if answer, err := r.deploy(t.Context(), 1, "f", "after "+name); err != nil || answer.Status != http.StatusAccepted {
			t.Errorf("%s: the next deployment: %d %s, %v", name, answer.Status, answer.Body, err)
		}
		r.comesToServe(t, 1, "f", "after "+name)
		r.lines[1].set(func(l *awsLine) { l.later = 0 })
		r.start(t, 0)
		r.until(t, r.replicas[0].URL, true)
	}
}

// TestReplicaCutOffFromAWS takes the way to AWS from one replica, which then is
// not ready, but alive, and gives it back. The other one serves all the time.
func TestReplicaCutOffFromAWS(t *testing.T) {
	r := replicate(t)
	if answer, err := r.deploy(t.Context(), 0, "f", "0"); err != nil || answer.Status != http.StatusAccepted {
		t.Fatalf("deploy: %d %s, %v", answer.Status, answer.Body, err)
	}
	r.lines[1].set(func(l *awsLine) { l.cut = true })
	r.until(t, r.replicas[1].URL, false)
	for path, want := range map[string]int{"/readyz": http.StatusServiceUnavailable, "/healthz": http.StatusOK} {
		if answer, err := r.replicas[1].Do(t.Context(), http.MethodGet, path, nil); err != nil || answer.Status != want {
			t.Errorf("%s of the replica that is cut off: %d %s, %v", path, answer.Status, answer.Body, err)
		}
	}
	for path, want := range map[string]int{"/function/f": http.StatusServiceUnavailable, "/system/functions": http.StatusServiceUnavailable} {
		if answer, err := r.replicas[1].Do(t.Context(), http.MethodGet, path, nil); err != nil || answer.Status != want {
			t.Errorf("%s of the replica that is cut off: %d %s, %v", path, answer.Status, answer.Body, err)
		}
	}
	before := r.connections(r.replicas[1].URL)
	load := startTraffic(t.Context(), r.URL, 50, r.image, "f")
	load.moreOf(t, 100)
	if got := r.connections(r.replicas[1].URL); got != before {
		t.Errorf("the replica that is cut off got %d connections", got-before)
	}
	r.lines[1].set(func(l *awsLine) { l.cut = false })
	r.until(t, r.replicas[1].URL, true)
	load.moreOf(t, 100)
	load.end(t, "one replica cut off, and back")
	if answer, err := r.replicas[1].Do(t.Context(), http.MethodGet, "/function/f", nil); err != nil || answer.Status != http.StatusOK {
		t.Errorf("the replica that is back answers %d %s, %v", answer.Status, answer.Body, err)
	}
}

// TestReplicaWhoseClockIsOff has one replica whose clock is half an hour behind
// AWS's, or ahead of it: signatures five minutes off are refused. It works, and
// takes nothing over from the other replica that is under way.
func TestReplicaWhoseClockIsOff(t *testing.T) {
	r := replicate(t)
	for _, ahead := range []time.Duration{30 * time.Minute, -30 * time.Minute} {
		r.lines[1].set(func(l *awsLine) { l.ahead = ahead })
		name := "AWS's clock is " + ahead.String() + " ahead"
		for i := range r.replicas {
			generation := fmt.Sprint(name, ", by ", i)
			if answer, err := r.deploy(t.Context(), i, "f", generation); err != nil || answer.Status != http.StatusAccepted {
				t.Errorf("%s: deploy: %d %s, %v", generation, answer.Status, answer.Body, err)
			}
			for j := range r.replicas {
				r.comesToServe(t, j, "f", generation)
			}
		}
		eventually(t, name+": the replica is ready", func() bool {
			answer, err := r.replicas[1].Do(t.Context(), http.MethodGet, "/readyz", nil)
			return err == nil && answer.Status == http.StatusOK
		})
		// A deployment under way at the other replica stays its own.
		gate := r.lines[0].hold(false, changes[1].call)
		done := make(chan fixture.Answer, 1)
		go func() {
			answer, err := r.deploy(t.Context(), 0, "f", "under way")
			if err != nil {
				t.Error(err)
			}
			done <- answer
		}()
		<-gate.held
		if answer, err := r.deploy(t.Context(), 1, "f", "meanwhile"); err != nil || answer.Status != http.StatusConflict {
			t.Errorf("%s: a deployment while another is under way: %d %s, %v", name, answer.Status, answer.Body, err)
		}
		close(gate.open)
		if answer := <-done; answer.Status != http.StatusAccepted {
			t.Errorf("%s: the deployment under way: %d %s", name, answer.Status, answer.Body)
		}
	}
}
