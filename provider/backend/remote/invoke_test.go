package remote

import (
	"bufio"
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

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

var function = backend.Name{Namespace: namespace, Function: "f"}

// serve answers by h and counts the connections that are made.
func serve(t testing.TB, h http.HandlerFunc) (url string, connections *atomic.Int32) {
	t.Helper()
	connections = &atomic.Int32{}
	server := httptest.NewUnstartedServer(h)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, connections
}

func invoke(ctx context.Context, b *Backend, r *http.Request) (*http.Response, string, error) {
	answer, err := b.Invoke(ctx, function, r)
	if err != nil {
		return nil, "", err
	}
	data, err := io.ReadAll(answer.Body)
	return answer, string(data), errors.Join(err, answer.Body.Close())
}

func TestInvocationsArePassedOnAsTheyAre(t *testing.T) {
	var got *http.Request
	var body []byte
	url, connections := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Add("X-B", "1")
		w.Header().Add("X-B", "2")
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, "moved")
	})
	b := open(t, Options{URL: url + "/base/", Credentials: Credentials{User: "admin", Password: "secret"}})
	for range 5 {
		r := httptest.NewRequestWithContext(t.Context(), "PATCH", "http://gateway/", strings.NewReader("hello"))
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = "/a b//c", "/a%20b//c%2F", "q=%20&q"
		r.Header = http.Header{"X-A": {"1", "2"}, "Connection": {"X-Hop"}, "X-Hop": {"1"}, "Authorization": {"Bearer mine"}, "Keep-Alive": {"1"}}
		answer, text, err := invoke(t.Context(), b, r)
		if err != nil || answer.StatusCode != http.StatusFound || text != "moved" || len(answer.Header["X-B"]) != 2 {
			t.Fatalf("%+v, %q, %v", answer, text, err)
		}
	}
	if got.RequestURI != "/base/function/f.openfaas-fn/a%20b//c%2F?q=%20&q" || string(body) != "hello" || got.ContentLength != 5 || got.Method != "PATCH" {
		t.Errorf("%s %s with %q", got.Method, got.RequestURI, body)
	}
	if len(got.Header["X-A"]) != 2 || got.Header.Get("X-Hop") != "" || got.Header.Get("Authorization") != "Bearer mine" || got.Header.Get("User-Agent") != "" {
		t.Errorf("headers %v", got.Header)
	}
	if connections.Load() > 2 { // net/http lets one go whose writer has not said within 50 ms that it is done
		t.Errorf("%d connections for invocations one after the other", connections.Load())
	}
}

func TestAnswersOfTheProviderBecomeErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  int
		extra http.Header
		kind  error
		begun bool
		after time.Duration
	}{
		{"not found", 404, nil, backend.ErrNotFound, true, 0},
		{"throttled", 429, http.Header{"Retry-After": {"7"}}, backend.ErrThrottled, false, 7 * time.Second},
		{"too large", 413, nil, backend.ErrTooLarge, false, 0},
		{"unavailable", 503, nil, backend.ErrUnavailable, true, 0},
		{"not ready", 503, http.Header{"Retry-After": {"5"}}, backend.ErrUnavailable, true, 5 * time.Second},
		{"unreachable", 503, http.Header{backend.NotBegunHeader: {"true"}}, backend.ErrUnavailable, false, 0},
		{"timed out", 504, nil, backend.ErrTimeout, true, 0},
		{"bad gateway", 502, nil, backend.ErrUnavailable, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for key, values := range c.extra {
					w.Header()[key] = values
				}
				w.Header().Set(backend.InternalHeader, "proxy")
				http.Error(w, "why", c.code)
			})
			_, _, err := invoke(t.Context(), open(t, Options{URL: url}), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
			if !errors.Is(err, c.kind) || backend.NotBegun(err) == c.begun {
				t.Errorf("%v, begun %v", err, !backend.NotBegun(err))
			}
			var throttled *backend.Throttled
			if errors.As(err, &throttled) != (c.kind == backend.ErrThrottled || c.after > 0) && c.after > 0 || throttled != nil && throttled.After != c.after {
				t.Errorf("%+v", throttled)
			}
		})
	}
	url, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "mine", http.StatusTooManyRequests) })
	if answer, text, err := invoke(t.Context(), open(t, Options{URL: url}), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)); err != nil || answer.StatusCode != 429 || text != "mine\n" {
		t.Errorf("the function's own 429: %v, %q, %v", answer, text, err)
	}
}

func TestBothWaysStream(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			_, _ = io.WriteString(w, strings.ToUpper(line))
			_ = control.Flush()
			if err != nil {
				return
			}
		}
	})
	reader, writer := io.Pipe()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", reader)
	r.ContentLength = -1
	sent := make(chan error, 1)
	go func() { // the answer begins when the first line is there
		_, err := io.WriteString(writer, "a\n")
		sent <- err
	}()
	answer, err := open(t, Options{URL: url}).Invoke(t.Context(), function, r)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(answer.Body)
	for _, next := range []string{"b\n", "c\n"} {
		if line, err := lines.ReadString('\n'); err != nil || len(line) != 2 {
			t.Fatalf("%q, %v", line, err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := io.WriteString(writer, next)
			sent <- err
		}()
	}
	if line, err := lines.ReadString('\n'); err != nil || line != "C\n" {
		t.Errorf("%q, %v", line, err)
	}
	_ = writer.Close()
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
}

// dropping answers the first request of every connection and closes the
// connection at the second: before it reads it, or afterwards.
func dropping(t *testing.T, read bool) (url string, requests *atomic.Int32) {
	t.Helper()
	requests = &atomic.Int32{}
	url, _ = serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n := requests.Add(1)
		if n%2 == 0 && read {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "ok")
	})
	return url, requests
}

func TestNothingIsSentTwice(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "DELETE", "POST", "PUT"} {
		t.Run(method, func(t *testing.T) {
			url, requests := dropping(t, true)
			b := open(t, Options{URL: url, Retries: 3})
			ask := func() error {
				var body io.Reader
				if method == "POST" || method == "PUT" {
					body = strings.NewReader("body")
				}
				_, _, err := invoke(t.Context(), b, httptest.NewRequestWithContext(t.Context(), method, "/", body))
				return err
			}
			if err := ask(); err != nil {
				t.Fatal(err)
			}
			err := ask() // on the same connection, which breaks
			if !errors.Is(err, backend.ErrUnavailable) || backend.NotBegun(err) || requests.Load() != 2 {
				t.Errorf("%v, begun %v, after %d requests", err, !backend.NotBegun(err), requests.Load())
			}
		})
	}
}

func TestWhatWasNotSentIsRepeated(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	b := open(t, Options{URL: "http://" + address, Retries: 8})
	answered := make(chan error, 1)
	go func() {
		_, text, err := invoke(t.Context(), b, httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader("hello")))
		if err == nil && text != "hello" {
			err = errors.New("answered " + text)
		}
		answered <- err
	}()
	// The provider comes while the invocation waits for its next attempt.
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestNobodyThere(t *testing.T) {
	b := open(t, Options{URL: "http://127.0.0.1:1"})
	_, _, err := invoke(t.Context(), b, httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader("x")))
	if !errors.Is(err, backend.ErrUnreachable) || !backend.NotBegun(err) {
		t.Errorf("Invoke = %v", err)
	}
	if err := b.Check(t.Context()); !errors.Is(err, backend.ErrUnreachable) {
		t.Errorf("Check = %v", err)
	}
	if err := b.Deploy(t.Context(), types.FunctionDeployment{Service: "f", Image: "i"}); !errors.Is(err, backend.ErrUnreachable) {
		t.Errorf("Deploy = %v", err)
	}
}

func TestAnswersThatDoNotBeginInTime(t *testing.T) {
	url, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	b := open(t, Options{URL: url, InvokeTimeout: time.Second, Timeout: time.Second})
	if _, _, err := invoke(t.Context(), b, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)); !errors.Is(err, backend.ErrTimeout) {
		t.Errorf("Invoke = %v", err)
	}
	if _, err := b.List(t.Context(), namespace); !errors.Is(err, backend.ErrTimeout) {
		t.Errorf("List = %v", err)
	}
}

// TestAGatewayQueuesAndCallsBack leaves both to the gateway behind the URL.
func TestAGatewayQueuesAndCallsBack(t *testing.T) {
	var path, callback, kind string
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path, callback, kind = r.URL.Path, r.Header.Get("X-Callback-Url"), r.Header.Get(backend.AsyncHeader)
		w.WriteHeader(http.StatusAccepted)
	})
	r := httptest.NewRequest("POST", "/a", strings.NewReader("x"))
	r.Header.Set(backend.AsyncHeader, "Event")
	r.Header.Set("X-Callback-Url", "http://sink/")
	answer, _, err := invoke(t.Context(), open(t, Options{URL: url}), r)
	if err != nil || answer.StatusCode != http.StatusAccepted {
		t.Fatalf("%+v, %v", answer, err)
	}
	if path != "/async-function/f."+namespace+"/a" || callback != "http://sink/" || kind != "" {
		t.Errorf("the gateway got %s with callback %q and %s %q", path, callback, backend.AsyncHeader, kind)
	}
}
