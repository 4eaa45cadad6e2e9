package aws

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/envelope"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/payload"
)

const nul = "\x00\x00\x00\x00\x00\x00\x00\x00"

// streams answers an invocation by events: each is a type and a payload.
func streams(events ...[2]string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		encoder := eventstream.NewEncoder()
		for _, e := range events {
			message := eventstream.Message{Payload: []byte(e[1])}
			message.Headers.Set(":message-type", eventstream.StringValue("event"))
			message.Headers.Set(":event-type", eventstream.StringValue(e[0]))
			message.Headers.Set(":content-type", eventstream.StringValue(map[string]string{"PayloadChunk": "application/octet-stream", "InvokeComplete": "application/json"}[e[0]]))
			if err := encoder.Encode(w, message); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func chunk(s string) [2]string { return [2]string{"PayloadChunk", s} }
func end(s string) [2]string   { return [2]string{"InvokeComplete", s} }

// deployed is a fake with the function hello, whose invocations h answers.
func deployedFake(t *testing.T, h func(http.ResponseWriter, *http.Request)) *fakeLambda {
	t.Helper()
	f := newFakeLambda(t)
	f.invoked = h
	if err := f.deploy(t.Context(), t, types.FunctionDeployment{}, "zip"); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fakeLambda) call(ctx context.Context) (*http.Response, string, error) {
	answer, err := f.Invoke(ctx, hello, httptest.NewRequestWithContext(ctx, "POST", "/", strings.NewReader("x")))
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(answer.Body)
	return answer, string(body), errors.Join(err, answer.Body.Close())
}

func TestInvokeAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		events [][2]string
		code   int
		body   string
	}{
		{"at once", [][2]string{chunk(`{"statusCode":201}` + nul + "body"), end("{}")}, 201, "body"},
		{"in pieces", [][2]string{chunk(`{"status`), chunk(`Code":201}` + nul[:3]), chunk(nul[3:]), chunk("bo"), chunk("dy"), end("{}")}, 201, "body"},
		{"NULs in the body", [][2]string{chunk(`{}` + nul + nul + "x"), chunk(nul), end("{}")}, 200, nul + "x" + nul},
		{"no body", [][2]string{chunk(`{"statusCode":204}` + nul), end("{}")}, 204, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, body, err := deployedFake(t, streams(c.events...)).call(t.Context())
			if err != nil || answer.StatusCode != c.code || body != c.body {
				t.Errorf("%+v %q, %v", answer, body, err)
			}
		})
	}
}

func TestInvokeFails(t *testing.T) {
	failed := &backend.FunctionError{}
	exit := `{"ErrorCode":"Runtime.ExitError","ErrorDetails":"{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"exit status 127\"}"}`
	timeout := `{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorMessage\":\"2026-11-23T00:00:00Z id Task timed out after 1.00 seconds\"}"}`
	for _, c := range []struct {
		name string
		h    func(http.ResponseWriter, *http.Request)
		kind error
		says string
	}{
		{"crash", streams(end(exit)), nil, "Runtime.ExitError: exit status 127"},
		{"crash with an error document", streams(chunk(`{"errorType":"Runtime.ExitError"}`), end(exit)), nil, "exit status 127"},
		{"plain details", streams(end(`{"ErrorCode":"Unhandled","ErrorDetails":"why"}`)), nil, "Unhandled: why"},
		{"crash in the metadata", streams(chunk(`{"sta`), end(exit)), nil, "exit status 127"},
		{"timeout", streams(end(timeout)), backend.ErrTimeout, "timed out after 1.00"},
		{"no metadata", streams(chunk(`hello`), end("{}")), nil, "metadata"},
		{"endless metadata", streams(chunk(strings.Repeat("x", envelope.MaxMetadata+1)), chunk(nul), end("{}")), nil, "longer than"},
		{"nothing", streams(end("{}")), nil, "metadata"},
		{"connection cut", streams(chunk(`{}`)), io.ErrUnexpectedEOF, "invoke function hello"},
		{"throttled", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			refuse(w, 429, "TooManyRequestsException", "Rate Exceeded.")
		}, backend.ErrThrottled, "Rate Exceeded."},
		{"too large", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 413, "RequestTooLargeException", "big") }, backend.ErrTooLarge, "big"},
		{"pending", func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, 409, "ResourceConflictException", "The operation cannot be performed at this time. The function is currently in the following state: Pending")
		}, backend.ErrUnavailable, "Pending"},
		{"its alias is gone", func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, 404, "ResourceNotFoundException", "Function not found")
		}, backend.ErrUnavailable, "the alias live is gone"},
		{"AWS is ill", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 500, "ServiceException", "ill") }, backend.ErrUnavailable, "ill"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls atomic.Int32
			f := deployedFake(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				c.h(w, r)
			})
			_, _, err := f.call(t.Context())
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v and %q", err, c.kind, c.says)
			}
			if c.kind == nil && !errors.As(err, &failed) {
				t.Errorf("%v is no FunctionError", err)
			}
			if calls.Load() != 1 {
				t.Errorf("invoked %d times", calls.Load())
			}
		})
	}
}

// TestInvokeWhatAnotherToolDeleted invokes a function that is known from before.
func TestInvokeWhatAnotherToolDeleted(t *testing.T) {
	f := deployedFake(t, streams(chunk(`{}`+nul), end("{}")))
	if _, _, err := f.call(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.functions = map[string]*fakeFunction{}
	f.invoked = func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, 404, "ResourceNotFoundException", "Function not found")
	}
	if _, _, err := f.call(t.Context()); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestInvokeFailsInTheMiddle(t *testing.T) {
	f := deployedFake(t, streams(chunk(`{}`+nul+"half"), end(`{"ErrorCode":"Runtime.ExitError","ErrorDetails":"died"}`)))
	answer, body, err := f.call(t.Context())
	var failed *backend.FunctionError
	if answer == nil || body != "half" || !errors.As(err, &failed) {
		t.Errorf("%v, %q, %v", answer, body, err)
	}
}

func TestInvokeStreamsAndIsAbandoned(t *testing.T) {
	gone := make(chan struct{})
	f := deployedFake(t, func(w http.ResponseWriter, r *http.Request) {
		streams(chunk(`{}`+nul+"first"))(w, r)
		<-r.Context().Done()
		close(gone)
	})
	ctx, leave := context.WithCancel(t.Context())
	answer, err := f.Invoke(ctx, hello, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "first" {
		t.Errorf("%q, %v", first, err)
	}
	leave()
	if _, err := answer.Body.Read(first); !errors.Is(err, context.Canceled) {
		t.Errorf("after the client left: %v", err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	<-gone
}

func TestInvocationsShareAConnection(t *testing.T) {
	f := deployedFake(t, streams(chunk(`{}`+nul+"x"), end("{}")))
	connections := map[string]bool{}
	answer := f.invoked
	f.invoked = func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		answer(w, r)
	}
	for range 20 {
		if _, _, err := f.call(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(connections) > 2 { // net/http lets one go whose writer has not said within 50 ms that it is done
		t.Errorf("20 invocations took %d connections", len(connections))
	}
}

// failing fails with each of its errors in turn, then answers 200.
type failing struct {
	errs     []error
	attempts int
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	f.attempts++
	if f.attempts <= len(f.errs) {
		return nil, f.errs[f.attempts-1]
	}
	return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
}

func TestOnlyWhatWasNotSentIsSentAgain(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for _, c := range []struct {
		name     string
		errs     []error
		attempts int
		fails    bool
	}{
		{"no connection at first", []error{dial, dial}, 3, false},
		{"no connection at all", []error{dial, dial, dial, dial}, 3, true},
		{"the answer is lost", []error{io.EOF}, 1, true},
		{"the answer is cut", []error{io.ErrUnexpectedEOF}, 1, true},
		{"connection reset", []error{&net.OpError{Op: "read", Err: errors.New("connection reset")}}, 1, true},
		{"too late", []error{context.DeadlineExceeded}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			wire := &failing{errs: c.errs}
			b := newFakeLambda(t)
			caller := newCaller(b.home.lambda.Options(), wire, &clock{})
			freed := false
			p := payload.New([]byte("{}"), func() { freed = true })
			_, err := caller.invoke(t.Context(), call{function: "hello", payload: p})
			if (err != nil) != c.fails || wire.attempts != c.attempts {
				t.Errorf("%d attempts, %v", wire.attempts, err)
			}
			if p.Release(); !freed {
				t.Error("the payload is still held")
			}
		})
	}
}

func TestNotReadyWaits(t *testing.T) {
	for _, c := range []struct {
		name     string
		refusals int32
		wait     time.Duration
		kind     error
	}{
		{"ready in time", 2, time.Minute, nil},
		{"not ready in time", 1 << 30, 2 * time.Second, backend.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls atomic.Int32
			f := deployedFake(t, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) <= c.refusals {
					refuse(w, 409, "ResourceConflictException", "The function is currently in the following state: Pending")
					return
				}
				streams(chunk(`{}`+nul+"x"), end("{}"))(w, r)
			})
			f.opts.ReadyWait = c.wait
			_, body, err := f.call(t.Context())
			if !errors.Is(err, c.kind) || c.kind == nil && (err != nil || body != "x") {
				t.Errorf("%q, %v", body, err)
			}
			if calls.Load() < 2 {
				t.Errorf("asked %d times", calls.Load())
			}
		})
	}
}

func TestInvokeAsynchronously(t *testing.T) {
	var path, kind string
	f := deployedFake(t, func(w http.ResponseWriter, r *http.Request) {
		path, kind = r.URL.Path, r.Header.Get("X-Amz-Invocation-Type")
		w.Header().Set("X-Amzn-Requestid", "the-request")
		w.WriteHeader(202)
	})
	r := httptest.NewRequest("POST", "/", strings.NewReader("x"))
	r.Header.Set(backend.AsyncHeader, "Event")
	answer, err := f.Invoke(t.Context(), hello, r)
	if err != nil || answer.StatusCode != 202 || answer.Header.Get("X-Amzn-Requestid") != "the-request" {
		t.Fatalf("%+v, %v", answer, err)
	}
	if path != "/2015-03-31/functions/hello/invocations" || kind != "Event" {
		t.Errorf("called %s with %s", path, kind)
	}
	path = ""
	r.Header.Set("X-Callback-Url", "http://127.0.0.1:1/")
	if _, err := f.Invoke(t.Context(), hello, r); !errors.Is(err, backend.ErrUnsupported) || path != "" {
		t.Errorf("with a callback: called %q, %v", path, err)
	}
}

func TestErrorsSayWhereTheLogIs(t *testing.T) {
	f := deployedFake(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-Requestid", "the-request")
		streams(end(`{"ErrorCode":"Unhandled","ErrorDetails":"died"}`))(w, r)
	})
	_, _, err := f.call(t.Context())
	if err == nil || !strings.Contains(err.Error(), "request the-request, log group /aws/lambda/hello") {
		t.Error(err)
	}
	f.functions["hello"].versions[0]["LoggingConfig"] = map[string]any{"LogGroup": "/teams/hello"}
	f.functions["hello"].config["LoggingConfig"] = map[string]any{"LogGroup": "/teams/hello"}
	f.cache.forget(hello)
	if _, _, err = f.call(t.Context()); err == nil || !strings.Contains(err.Error(), "log group /teams/hello") {
		t.Errorf("of a function with a log group of its own: %v", err)
	}
}
