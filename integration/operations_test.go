package integration

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/watchdog/watchdogtest"
)

// operated is a `faas-lambda up` of its own, with a collector of traces, and the
// function "watched" on it.
type operated struct {
	*fixture.Up
	log    *lockedBuffer
	traces *collector
	pprof  string // address
}

// collector takes spans as OTLP over HTTP sends them.
type collector struct {
	mu  sync.Mutex // guards got
	got []byte
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil && r.URL.Path == "/v1/traces" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.got = append(c.got, body...)
	}
}

func (c *collector) has(want []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Contains(c.got, want)
}

func operate(t *testing.T) operated {
	t.Helper()
	o := operated{log: &lockedBuffer{}, traces: &collector{}}
	server := httptest.NewServer(o.traces)
	t.Cleanup(server.Close)
	o.pprof = watchdogtest.FreeAddr(t)
	_, port, _ := net.SplitHostPort(o.pprof)
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, "OTEL_BSP_SCHEDULE_DELAY": "100", "NO_PROXY": "127.0.0.1",
		"log_format": "json", "log_level": "debug", "pprof_port": port,
	} {
		t.Setenv(name, value)
	}
	var err error
	if o.Up, err = fixture.StartUp(t.Context(), filepath.Join(programs, "faas-lambda"), t.TempDir(), o.log); err != nil {
		t.Fatalf("%v\n%s", err, o.log)
	}
	answer, err := o.Deploy(t.Context(), types.FunctionDeployment{Service: "watched", Image: push(t, "functions/web:1", middleware(t, "web"))})
	if err != nil || answer.Status != http.StatusAccepted {
		t.Fatalf("deploy: %v %s\n%s", err, answer.Body, o.log)
	}
	return o
}

func (o operated) get(t *testing.T, path string, header ...string) fixture.Answer {
	t.Helper()
	answer, err := o.Do(t.Context(), http.MethodGet, path, nil, header...)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// eventually waits until holds does, for what is sent now and then.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about", what)
		}
	}
}

func TestOperations(t *testing.T) {
	o := operate(t)
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	for range 3 {
		if a := o.get(t, "/function/watched", "X-Call-Id", "call-1", "Traceparent", "00-"+trace+"-00f067aa0ba902b7-01"); a.Status != http.StatusOK {
			t.Fatalf("%d %s\n%s", a.Status, a.Body, o.log)
		}
	}
	o.get(t, "/function/watched/exit/3", "X-Call-Id", "call-2")

	t.Run("metrics", func(t *testing.T) {
		for _, want := range []string{
			`faas_lambda_function_invocations_total\{code="200",function_name="watched",namespace="openfaas-fn"\} 3`,
			`faas_lambda_function_invocations_total\{code="500",function_name="watched",namespace="openfaas-fn"\} 1`,
			`faas_lambda_function_duration_seconds_bucket\{function_name="watched",namespace="openfaas-fn",le="\+Inf"\} [34]`,
			`faas_lambda_function_cold_starts_total\{function_name="watched",namespace="openfaas-fn"\} 1`,
			`faas_lambda_aws_calls_total\{error="",operation="CreateFunction",service="Lambda"\} 1`,
			`faas_lambda_aws_calls_total\{error="",operation="InvokeWithResponseStream",service="Lambda"\} 4`,
			`provider_http_requests_total\{code="200",method="GET",path="/function"\} 3`,
			`go_goroutines`, `process_resident_memory_bytes`,
		} {
			// An invocation is counted when its answer is complete, which its client may see before.
			eventually(t, "the metric "+want, func() bool { return regexp.MustCompile(`(?m)^` + want).Match(o.get(t, "/metrics").Body) })
		}
		o.get(t, "/system/functions")
		if text := string(o.get(t, "/metrics").Body); !regexp.MustCompile(`faas_lambda_function_package_bytes\{function_name="watched",namespace="openfaas-fn"\} [1-9]`).MatchString(text) {
			t.Errorf("no package size in\n%s", text)
		}
	})
	t.Run("traces", func(t *testing.T) {
		id, err := hex.DecodeString(trace)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{string(id), "GET /function", "invoke watched", "faas-lambda"} {
			eventually(t, fmt.Sprintf("a span with %q", want), func() bool { return o.traces.has([]byte(want)) })
		}
	})
	t.Run("logs", func(t *testing.T) {
		eventually(t, "the log of both calls", func() bool {
			seen := map[string]int{}
			for line := range strings.SplitSeq(o.log.String(), "\n") {
				var entry struct {
					Level, Msg, Call string
					Code             int
				}
				if json.Unmarshal([]byte(line), &entry) == nil && entry.Level == "DEBUG" && entry.Msg == "invocation" {
					seen[entry.Call] = entry.Code
				}
			}
			return seen["call-1"] == http.StatusOK && seen["call-2"] == http.StatusInternalServerError
		})
	})
	t.Run("profiles", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+o.pprof+"/debug/pprof/goroutine?debug=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(body), "goroutine profile") {
			t.Errorf("%v %s", err, body)
		}
		if a := o.get(t, "/debug/pprof/"); a.Status != http.StatusNotFound {
			t.Errorf("the provider's own port answers %d", a.Status)
		}
	})
	// Last: it ends the program.
	t.Run("an invocation under way is finished", func(t *testing.T) {
		type result struct {
			answer fixture.Answer
			err    error
		}
		done := make(chan result, 1)
		begin := func() {
			answer, err := o.Do(t.Context(), http.MethodGet, "/function/watched/sleep/1s", nil)
			done <- result{answer, err}
		}
		go begin()
		eventually(t, "the invocation", func() bool {
			if strings.Contains(string(o.get(t, "/metrics").Body), `faas_lambda_function_in_flight{function_name="watched",namespace="openfaas-fn"} 1`) {
				return true
			}
			select {
			case <-done: // it was over before anybody looked
				go begin()
			default:
			}
			return false
		})
		if err := o.Stop(); err != nil {
			t.Errorf("ended with %v\n%s", err, o.log)
		}
		if r := <-done; r.err != nil || r.answer.Status != http.StatusOK {
			t.Errorf("%v %d %s", r.err, r.answer.Status, r.answer.Body)
		}
	})
}
