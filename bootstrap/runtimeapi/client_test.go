package runtimeapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server runs handler as the API and returns a client of it.
func server(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	c := New(s.Listener.Addr().String(), "test")
	t.Cleanup(c.Close)
	return c
}

func TestNextReadsEveryHeader(t *testing.T) {
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.URL.Path != "/2018-06-01/runtime/invocation/next" || r.UserAgent() != "test" {
			t.Errorf("%s %s by %s", r.Method, r.URL, r.UserAgent())
		}
		for name, value := range map[string]string{
			"Lambda-Runtime-Aws-Request-Id": "id-1", "Lambda-Runtime-Deadline-Ms": "1700000000123", "Lambda-Runtime-Trace-Id": "Root=1",
			"Lambda-Runtime-Invoked-Function-Arn": "arn", "Lambda-Runtime-Client-Context": "{}", "Lambda-Runtime-Cognito-Identity": "ci",
			"Lambda-Runtime-Aws-Tenant-Id": "tenant",
		} {
			w.Header().Set(name, value)
		}
		fmt.Fprint(w, "event")
	})
	for range 2 {
		inv, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(inv.Body)
		if err != nil || string(body) != "event" || inv.Length != 5 {
			t.Errorf("%v: body %q of %d", err, body, inv.Length)
		}
		inv.Body = nil
		want := Invocation{ID: "id-1", Deadline: time.UnixMilli(1700000000123), TraceID: "Root=1", FunctionARN: "arn", ClientContext: "{}",
			CognitoIdentity: "ci", TenantID: "tenant", Length: 5}
		if *inv != want {
			t.Errorf("got %+v, want %+v", *inv, want)
		}
	}
}

func TestNextFails(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"status 500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); fmt.Fprint(w, "broken") },
		"status 403": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403); fmt.Fprint(w, "broken") },
		"no id":      func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "broken") },
		"id with slash": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "a/../b")
			fmt.Fprint(w, "broken")
		},
		"no answer":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"not HTTP":       raw("SSH-2.0-x\r\n\r\n"),
		"endless header": raw("HTTP/1.1 200 OK\r\nA: b\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			inv, err := server(t, handler).Next(t.Context())
			if err == nil {
				t.Fatalf("no error but %+v", inv)
			}
			var status *StatusError
			if strings.HasPrefix(name, "status") != errors.As(err, &status) {
				t.Errorf("error %v", err)
			}
			if status != nil && (status.Body != "broken" || fmt.Sprint("status ", status.Status) != name) {
				t.Errorf("error %+v", status)
			}
		})
	}
}

// raw answers with these bytes and closes the connection.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	asked := make(chan struct{})
	c := server(t, func(_ http.ResponseWriter, r *http.Request) { close(asked); <-r.Context().Done() })
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("asked to end")
	go func() { <-asked; cancel(cause) }()
	if _, err := c.Next(ctx); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}

func TestNextOnAConnectionThatWasClosed(t *testing.T) {
	var calls atomic.Int32 // the one that is broken off may still be ending when the next comes
	c := server(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 2 {
			panic(http.ErrAbortHandler) // as after a restore: the connection is gone
		}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "id")
	})
	for range 2 {
		inv, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := inv.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if calls.Load() != 3 {
		t.Errorf("%d calls", calls.Load())
	}
}

// answer is what a server saw of a response.
type seen struct {
	path, contentType, mode string
	length                  int64
	body                    []byte
	errType, errBody        string
}

func recorder(t *testing.T, got *seen) *Client {
	return server(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		text, err := base64.StdEncoding.DecodeString(r.Trailer.Get(errorBodyHeader))
		if err != nil {
			t.Error(err)
		}
		*got = seen{r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Lambda-Runtime-Function-Response-Mode"), r.ContentLength, body,
			r.Header.Get(errorTypeHeader) + r.Trailer.Get(errorTypeHeader), string(text)}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"status":"OK"}`)
	})
}

func TestRespondStreams(t *testing.T) {
	var got seen
	c := recorder(t, &got)
	for _, sizes := range [][]int{{}, {1}, {bufferSize}, {1, bufferSize - 1, 1}, {7000, 7000, 7000, 7000}, {1, 1 << 20, 1}, {64 << 10, 64 << 10}, {65535}, {65536}} {
		for _, flush := range []bool{false, true} {
			r, err := c.Respond(t.Context(), "id", "text/html")
			if err != nil {
				t.Fatal(err)
			}
			var want []byte
			for i, size := range sizes {
				p := bytes.Repeat([]byte{byte('a' + i)}, size)
				want = append(want, p...)
				if n, err := r.Write(p); n != size || err != nil {
					t.Fatalf("write: %d, %v", n, err)
				}
				if flush {
					if err := r.Flush(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if got.path != "/2018-06-01/runtime/invocation/id/response" || got.contentType != "text/html" || got.mode != "streaming" || got.length != -1 || got.errType != "" {
				t.Errorf("%+v", got)
			}
			if !bytes.Equal(got.body, want) {
				t.Errorf("sizes %v flush %v: got %d bytes, want %d", sizes, flush, len(got.body), len(want))
			}
		}
	}
}

func TestFailAfterTheBeginning(t *testing.T) {
	var got seen
	r, err := recorder(t, &got).Respond(t.Context(), "id", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(r, "half"); err != nil {
		t.Fatal(err)
	}
	if err := r.Fail(Failure{Type: "Function.X", Message: "why"}); err != nil {
		t.Fatal(err)
	}
	if string(got.body) != "half" || got.errType != "Function.X" || got.errBody != `{"errorMessage":"why","errorType":"Function.X","stackTrace":[]}` {
		t.Errorf("%+v", got)
	}
}

func TestWholeAnswersAndReports(t *testing.T) {
	var got seen
	c := recorder(t, &got)
	if err := c.RespondWhole(t.Context(), "id", "text/a\r\nX: y", []byte("ab"), nil, bytes.Repeat([]byte("c"), 100_000)); err != nil {
		t.Fatal(err)
	}
	if got.length != 100_002 || len(got.body) != 100_002 || got.mode != "" || got.contentType != "" {
		t.Errorf("whole: %+v", got)
	}
	for path, call := range map[string]func() error{
		"/2018-06-01/runtime/init/error":          func() error { return c.FailInit(t.Context(), Failure{"Function.A", "m"}) },
		"/2018-06-01/runtime/restore/error":       func() error { return c.FailRestore(t.Context(), Failure{"Function.A", "m"}) },
		"/2018-06-01/runtime/invocation/id/error": func() error { return c.Fail(t.Context(), "id", Failure{"Function.A", "m"}) },
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
		if got.path != path || got.errType != "Function.A" || string(got.body) != `{"errorMessage":"m","errorType":"Function.A","stackTrace":[]}` {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestRefusedAnswerHasItsStatus(t *testing.T) {
	refuse := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 100) // and reads no more
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}
	c := server(t, refuse)
	for _, size := range []int{1000, 20 << 20} {
		r, err := c.Respond(t.Context(), "id", "")
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 64<<10)
		for n := 0; n < size; n += len(p) {
			if _, err := r.Write(p); err != nil {
				break
			}
		}
		var status *StatusError
		if err := r.Close(); !errors.As(err, &status) || status.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestExtension(t *testing.T) {
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/2020-01-01/extension/register":
			body, err := io.ReadAll(r.Body)
			if err != nil || string(body) != `{"events":[]}` || r.Header.Get("Lambda-Extension-Name") != "name" {
				t.Errorf("%v: register %s by %s", err, body, r.Header.Get("Lambda-Extension-Name"))
			}
			w.Header().Set("Lambda-Extension-Identifier", "ext")
		case "/2020-01-01/extension/event/next":
			if r.Header.Get("Lambda-Extension-Identifier") != "ext" {
				t.Errorf("next of %q", r.Header.Get("Lambda-Extension-Identifier"))
			}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	id, err := c.Register(t.Context(), "name")
	if err != nil || id != "ext" {
		t.Fatalf("%q, %v", id, err)
	}
	if err := c.Park(t.Context(), id); err != nil {
		t.Error(err)
	}
	var status *StatusError
	if err := c.AwaitRestore(t.Context()); !errors.As(err, &status) {
		t.Errorf("restore: %v", err)
	}
}

// FuzzAnswer lets the API answer anything: no call may hang, and what is no
// answer must be an error.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 X\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = conn.Write(data)
				}
				_ = conn.Close()
			}
		}()
		defer func() { _ = l.Close(); <-served }()
		c := New(l.Addr().String(), "test")
		defer c.Close()
		inv, err := c.Next(t.Context())
		if err == nil {
			if inv.ID == "" {
				t.Error("an invocation without id")
			}
			_ = inv.Body.Close()
		}
	})
}
