package watchdog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// proxied runs a watchdog in http mode before handler and returns its address.
// The function's process is one that does nothing: the test is the function.
func proxied(t testing.TB, handler http.Handler, more ...string) string {
	t.Helper()
	up := httptest.NewServer(handler)
	t.Cleanup(up.Close)
	return proxiedTo(t, up.URL, more...)
}

func proxiedTo(t testing.TB, upstream string, more ...string) string {
	t.Helper()
	env := append([]string{"PATH=/usr/bin:/bin", "mode=http", "fprocess=sleep 1000", "upstream_url=" + upstream}, more...)
	front := httptest.NewServer(started(t, OfWatchdog, env))
	t.Cleanup(front.Close)
	return front.Listener.Addr().String()
}

// started returns a watchdog that is up and ends with the test.
func started(t testing.TB, kind Kind, env []string) *Watchdog {
	t.Helper()
	cfg, err := ParseConfig(kind, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(cfg, Options{Dir: t.TempDir(), Stdout: io.Discard, Stderr: io.Discard, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	unhurried(w)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return w
}

// unhurried gives a watchdog in http mode the time that it leaves a function to
// end, and a connection to stay idle, on a machine that is busy.
func unhurried(w *Watchdog) {
	if s, ok := w.mode.(*server); ok {
		s.up.fresh, s.leaves = time.Minute, time.Minute
	}
}

// talk sends raw bytes to addr and returns what comes back until it closes.
func talk(t *testing.T, addr, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestHeadersOfOneHopStayThere(t *testing.T) {
	var got http.Header
	addr := proxied(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.Header().Set("Connection", "X-Mine")
		w.Header().Set("X-Mine", "1")
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header().Set("X-End", "2")
	}))
	answer := talk(t, addr, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nKeep-Alive: 1\r\nProxy-Authorization: x\r\n"+
		"Authorization: y\r\nX-End: 1\r\n\r\n")
	for _, name := range []string{"Connection", "X-Hop", "Te", "Keep-Alive", "Proxy-Authorization"} {
		if got.Get(name) != "" {
			t.Errorf("the function got %s: %s", name, got.Get(name))
		}
	}
	if got.Get("Authorization") != "y" || got.Get("X-End") != "1" || got.Get("User-Agent") != "" {
		t.Errorf("the function got %v", got)
	}
	if strings.Contains(answer, "X-Mine") || strings.Contains(answer, "Keep-Alive") || !strings.Contains(answer, "X-End: 2\r\n") {
		t.Errorf("the client got %s", answer)
	}
}

func TestNothingForgedReachesTheFunction(t *testing.T) {
	var whole atomic.Int32
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		// One that does not read the body may answer before it has failed, and that answer counts.
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			whole.Add(1)
		}
	}))
	defer up.Close()
	w := started(t, OfWatchdog, []string{"PATH=/usr/bin:/bin", "mode=http", "fprocess=sleep 1000", "upstream_url=" + up.URL})
	for name, forge := range map[string]func(*http.Request){
		"header value": func(r *http.Request) { r.Header["X-A"] = []string{"1\r\nX-B: 2"} },
		"header name":  func(r *http.Request) { r.Header["X-A: 1\r\nX-B"] = []string{"2"} },
		"empty name":   func(r *http.Request) { r.Header[""] = []string{"2"} },
		"host":         func(r *http.Request) { r.Host = "h\r\nX-B: 2" },
		"method":       func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nX-B: 2\r\n\r\nGET" },
		"target":       func(r *http.Request) { r.RequestURI = "/ HTTP/1.1\r\nX-B: 2\r\n\r\n" },
		"upgrade": func(r *http.Request) {
			r.Header["Connection"], r.Header["Upgrade"] = []string{"upgrade"}, []string{"a\r\nX-B: 2"}
		},
		"short body": func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "POST", io.NopCloser(strings.NewReader("abc")), 5
		},
		"a long one": func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "POST", io.NopCloser(strings.NewReader("abc")), 1<<20
		},
		"body that fails": func(r *http.Request) { r.Method, r.Body, r.ContentLength = "POST", io.NopCloser(failing{}), -1 },
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{Method: "GET", URL: &url.URL{Path: "/"}, RequestURI: "/", Host: "h", Header: http.Header{}}
			forge(r)
			answer := &failer{ResponseRecorder: httptest.NewRecorder()}
			w.ServeHTTP(answer, r.WithContext(t.Context()))
			if answer.Code != http.StatusInternalServerError || answer.failed == nil {
				t.Errorf("status %d, error %v", answer.Code, answer.failed)
			}
			if n := whole.Load(); n > 0 {
				t.Errorf("%d requests reached the function", n)
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("gone") }

// failer is a ResponseWriter that is told why.
type failer struct {
	*httptest.ResponseRecorder
	failed error
}

func (f *failer) Fail(err error) { f.failed = err }

func TestProtocolsAreSwitched(t *testing.T) {
	addr := proxied(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\nhello ", r.Header.Get("Upgrade"))
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = io.WriteString(conn, strings.ToUpper(line))
	}))
	answer := talk(t, addr, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nping\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 101 ") || !strings.HasSuffix(answer, "\r\n\r\nhello PING\n") || !strings.Contains(answer, "Upgrade: websocket") {
		t.Errorf("%q", answer)
	}
}

// FuzzForward sends what a client may put into a request through the proxy: what
// the function gets is the same, or nothing.
func FuzzForward(f *testing.F) {
	f.Add("GET", "/a%20b?q", "X-A", "v", []byte("body"))
	f.Add("POST", "/ x", "Content-Length", "7", []byte(nil))
	f.Add("PUT", "//", "Transfer-Encoding", "chunked", []byte("0\r\n\r\n"))
	type request struct {
		method, target, value string
		body                  []byte
	}
	got := make(chan request, 8)
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{r.Method, r.RequestURI, r.Header.Get("X-A"), body}
	}))
	f.Cleanup(up.Close)
	u, err := url.Parse(up.URL)
	if err != nil {
		f.Fatal(err)
	}
	s, err := newServer(Config{Upstream: u}, Options{Logger: slog.New(slog.DiscardHandler)}, environment{}, logs{})
	if err != nil {
		f.Fatal(err)
	}
	c := &child{done: make(chan struct{})}
	s.live.Store(c)
	f.Fuzz(func(t *testing.T, method, target, name, value string, body []byte) {
		r := &http.Request{Method: method, URL: &url.URL{Path: "/"}, RequestURI: target, Host: "h", Header: http.Header{name: {value}},
			Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
		answer := httptest.NewRecorder()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		func() {
			defer func() {
				if v := recover(); v != nil && v != http.ErrAbortHandler {
					t.Fatal(v)
				}
			}()
			s.ServeHTTP(answer, r.WithContext(ctx))
		}()
		select {
		case r := <-got:
			if r.method != method || r.target != target || !bytes.Equal(r.body, body) || (name == "X-A" && r.value != strings.TrimSpace(value)) {
				t.Errorf("sent %q %q %q: %q, got %+v", method, target, name, value, r)
			}
		default:
		}
		select {
		case r := <-got:
			t.Errorf("a second request: %+v", r)
		default:
		}
	})
}
