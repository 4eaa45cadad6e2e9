package aws

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/invocation/invocationtest"
)

// How Lambda answers invocations.
const nul = invocationtest.NUL

var streams, chunk, end, refuse = invocationtest.Streams, invocationtest.Chunk, invocationtest.End, invocationtest.Refuse

// deployedFake is a fake with the function hello, whose invocations h answers.
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

func TestInvokeFails(t *testing.T) {
	failed := &backend.FunctionError{}
	exit := `{"ErrorCode":"Runtime.ExitError","ErrorDetails":"{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"exit status 127\"}"}`
	for _, c := range []struct {
		name string
		h    func(http.ResponseWriter, *http.Request)
		kind error
		says string
	}{
		{"crash", streams(end(exit)), nil, "Runtime.ExitError: exit status 127"},
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
