package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/memory"
)

// parted is a backend made of parts, of which some are missing.
type parted struct {
	*memory.Backend
	gaps backend.Gaps
}

func (p parted) ListPartly(ctx context.Context, namespace string) ([]types.FunctionStatus, backend.Gaps, error) {
	functions, err := p.List(ctx, namespace)
	return functions, p.gaps, err
}

func (parted) Parts() []backend.Part {
	return []backend.Part{{Name: "a", Orchestration: "lambda", State: "up", Functions: 3}, {Name: "b", Orchestration: "kubernetes", State: "b is down"}}
}

func TestListsSayWhatTheyLack(t *testing.T) {
	url := start(t, parted{memory.New(), backend.Gaps{
		Missing:    map[string]string{"b": "no answer\nin 2s\x00", "a/c": "refused"},
		Duplicates: map[string][]string{"f": {"a", "b"}, "e": {"b", "a"}},
	}})
	got := send(t, "GET", url+"/system/functions", "")
	if diff := cmp.Diff([]string{"a/c: refused", "b: no answer in 2s"}, got.header.Values(backend.MissingHeader)); diff != "" || got.code != 200 || got.body != "[]" {
		t.Errorf("%d %s\n%s", got.code, got.body, diff)
	}
	if diff := cmp.Diff([]string{"e: b, a", "f: a, b"}, got.header.Values(backend.DuplicateHeader)); diff != "" {
		t.Error(diff)
	}
	var info providerInfo
	if err := json.Unmarshal([]byte(send(t, "GET", url+"/system/info", "").body), &info); err != nil || len(info.Parts) != 2 || info.Parts[0].Functions != 3 || info.Parts[1].State != "b is down" {
		t.Errorf("%+v, %v", info, err)
	}
}

// blind is a backend that cannot say what functions use.
type blind struct {
	*memory.Backend
	err error
}

func (b blind) Usage(context.Context, backend.Name) (types.FunctionUsage, error) {
	return types.FunctionUsage{}, b.err
}

func (b blind) Consumption(context.Context, backend.Name, time.Time) (backend.Consumption, error) {
	return backend.Consumption{}, b.err
}

func (b blind) Check(context.Context) error { return b.err }

func newBlind(t *testing.T, err error) blind {
	t.Helper()
	b := blind{memory.New(), err}
	if err := b.Deploy(t.Context(), types.FunctionDeployment{Service: "f", Image: "i", Namespace: namespace}); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUsageThatCannotBeHad(t *testing.T) {
	url := start(t, newBlind(t, errors.New("metrics are away")))
	got := send(t, "GET", url+"/system/function/f?usage=true&consumption=2026-01-01T00:00:00Z", "")
	if diff := cmp.Diff([]string{"usage: metrics are away", "consumption: metrics are away"}, got.header.Values(backend.MissingHeader)); diff != "" || got.code != 200 || !strings.Contains(got.body, `"name":"f"`) {
		t.Errorf("%d %s\n%s", got.code, got.body, diff)
	}
	if got := send(t, "GET", url+"/system/function/f?usage=false", ""); got.header.Get(backend.MissingHeader) != "" {
		t.Errorf("when nobody asks for it: %v", got.header)
	}
	// A backend that stands for another one, which cannot, is none that fails.
	url = start(t, newBlind(t, backend.Errorf(backend.ErrUnsupported, "no such thing")))
	if got := send(t, "GET", url+"/system/function/f?usage=true", ""); got.code != 200 || got.header.Get(backend.MissingHeader) != "" || strings.Contains(got.body, "usage") {
		t.Errorf("%d %v %s", got.code, got.header, got.body)
	}
}

func TestReadyzSaysWhatIsWrong(t *testing.T) {
	url := start(t, newBlind(t, errors.New("Lambda does not answer")))
	if text := send(t, "GET", url+"/metrics", "").body; strings.Contains(text, "\nfaas_lambda_ready") {
		t.Error("faas_lambda_ready tells what nobody has asked yet")
	}
	got := send(t, "GET", url+"/readyz", "")
	if got.code != 503 || !strings.Contains(got.body, "Lambda does not answer") {
		t.Errorf("%d %q", got.code, got.body)
	}
	if got := send(t, "GET", url+"/healthz", ""); got.code != 200 {
		t.Errorf("healthz: %d", got.code)
	}
	if text := send(t, "GET", url+"/metrics", "").body; !strings.Contains(text, "\nfaas_lambda_ready 0\n") || !strings.Contains(text, "\nfaas_lambda_build_info{") {
		t.Errorf("the metrics do not say that the provider is not ready:\n%s", text)
	}
	url = start(t, newBlind(t, nil))
	send(t, "GET", url+"/readyz", "")
	if text := send(t, "GET", url+"/metrics", "").body; !strings.Contains(text, "\nfaas_lambda_ready 1\n") {
		t.Errorf("the metrics do not say that the provider is ready:\n%s", text)
	}
}

func TestReadyzSaysThatTheProviderEnds(t *testing.T) {
	closing := make(chan struct{})
	url := start(t, memory.New(), func(o *Options) { o.Closing = closing })
	if got := send(t, "GET", url+"/readyz", ""); got.code != 200 {
		t.Errorf("before: %d %q", got.code, got.body)
	}
	close(closing)
	if got := send(t, "GET", url+"/readyz", ""); got.code != 503 || !strings.Contains(got.body, "about to end") {
		t.Errorf("%d %q", got.code, got.body)
	}
	for _, path := range []string{"/healthz", "/system/functions"} {
		if got := send(t, "GET", url+path, ""); got.code != 200 {
			t.Errorf("%s: %d %q", path, got.code, got.body)
		}
	}
}

// hanging never answers a check.
type hanging struct{ *memory.Backend }

func (hanging) Check(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestReadyzAnswersInTime(t *testing.T) {
	begin := time.Now()
	if got := send(t, "GET", start(t, hanging{memory.New()})+"/readyz", ""); got.code != 503 || time.Since(begin) > 10*probeWait {
		t.Errorf("%d after %s", got.code, time.Since(begin))
	}
}

func TestWhatHasNotBegunSaysSo(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		code  int
		begun string
	}{
		{"unreachable", backend.Errorf(backend.ErrUnreachable, "why"), 503, "true"},
		{"unavailable, and not begun", backend.AsNotBegun(backend.Errorf(backend.ErrUnavailable, "why")), 503, "true"},
		{"unavailable", backend.Errorf(backend.ErrUnavailable, "why"), 503, ""},
		{"throttled says it by its code", backend.Errorf(backend.ErrThrottled, "why"), 429, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := send(t, "POST", start(t, failing{err: c.err})+"/function/f", "x")
			if got.code != c.code || got.header.Get(backend.NotBegunHeader) != c.begun {
				t.Errorf("%d, %s %q", got.code, backend.NotBegunHeader, got.header.Get(backend.NotBegunHeader))
			}
		})
	}
}

func TestCallbacksAreRefused(t *testing.T) {
	url := start(t, newBlind(t, nil))
	for path, kind := range map[string]string{"/async-function/f": "", "/function/f": "Event"} {
		refusedCallback(t, send(t, "POST", url+path, "x", "X-Callback-Url", "http://127.0.0.1:1/", backend.AsyncHeader, kind))
	}
	// What comes out of a gateway's queue still has the header.
	if got := send(t, "POST", url+"/function/f", "x", "X-Callback-Url", "http://127.0.0.1:1/"); got.code != 200 {
		t.Errorf("a call from a queue: %d %s", got.code, got.body)
	}
}

func refusedCallback(t *testing.T, got answer) {
	t.Helper()
	if got.code != 501 || got.header.Get(backend.InternalHeader) == "" || got.header.Get(callHeader) == "" || !strings.Contains(got.body, "X-Callback-Url") {
		t.Errorf("%d %v %q", got.code, got.header, got.body)
	}
}

// endless is a backend whose invocations end with their client.
type endless struct{ blind }

func (endless) Invoke(ctx context.Context, _ backend.Name, r *http.Request) (*http.Response, error) {
	_, err := io.Copy(io.Discard, r.Body)
	<-ctx.Done()
	return nil, errors.Join(err, ctx.Err())
}

// TestAClientThatGoesIsNoSuccess closes the client's half of a connection while
// its request is answered, which net/http takes for a client that is gone.
func TestAClientThatGoesIsNoSuccess(t *testing.T) {
	url := start(t, endless{newBlind(t, nil)})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
	if err := errors.Join(err, conn.(*net.TCPConn).CloseWrite()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != clientGone {
		t.Errorf("answered %d", answer.StatusCode)
	}
	if text := send(t, "GET", url+"/metrics", "").body; !strings.Contains(text, `provider_http_requests_total{code="499",method="POST",path="/function"} 1`) {
		t.Errorf("not counted in\n%s", text)
	}
}

func TestMetricsOfFunctions(t *testing.T) {
	url := start(t, newBlind(t, nil))
	for range 3 {
		send(t, "POST", url+"/function/f", "x")
	}
	send(t, "POST", url+"/function/f.openfaas-fn", "x")
	for range 5 {
		send(t, "POST", url+"/function/made-up", "x")
	}
	text := send(t, "GET", url+"/metrics", "").body
	for _, line := range []string{
		`faas_lambda_function_invocations_total{code="200",function_name="f",namespace="openfaas-fn"} 4`,
		`faas_lambda_function_duration_seconds_count{function_name="f",namespace="openfaas-fn"} 4`,
		`faas_lambda_function_in_flight{function_name="f",namespace="openfaas-fn"} 0`,
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %s", line)
		}
	}
	if strings.Contains(text, "made-up") {
		t.Error("a function that does not exist has metrics")
	}
	send(t, "DELETE", url+"/system/functions", `{"functionName":"f"}`)
	if text := send(t, "GET", url+"/metrics", "").body; strings.Contains(text, `function_name="f"`) {
		t.Error("a function that is gone has metrics")
	}
}
