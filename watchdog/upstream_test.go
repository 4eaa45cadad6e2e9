package watchdog

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// scripted is an upstream that answers each connection's requests by a script.
type scripted struct {
	net.Listener
	mu       sync.Mutex // guards requests
	requests []string
	closed   chan struct{} // gets a value when a connection was closed by "close"
}

// script serves connection after connection: steps[i] says what connection i
// does with each request: "answer", "close" (answer, then close without a word)
// or "drop" (close without answer).
func script(t *testing.T, steps ...[]string) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{Listener: l, closed: make(chan struct{}, 8)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, step := range steps {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(conn, step)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return s
}

func (s *scripted) serve(conn net.Conn, steps []string) {
	defer func() { _ = conn.Close() }()
	br := bufio.NewReader(conn)
	for _, step := range steps {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		s.mu.Lock()
		s.requests = append(s.requests, r.Method)
		s.mu.Unlock()
		if step == "drop" {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		if step == "close" {
			_ = conn.Close()
			s.closed <- struct{}{}
			return
		}
	}
}

func TestStaleConnections(t *testing.T) {
	for name, c := range map[string]struct {
		steps    [][]string
		methods  []string
		statuses string
		requests string // that the function saw
		closes   bool   // the function closes the connection after each
	}{
		"closed between requests":    {[][]string{{"close"}, {"close"}, {"close"}}, []string{"GET", "POST", "GET"}, "[200 200 200]", "[GET POST GET]", true},
		"dropped, may be repeated":   {[][]string{{"answer", "drop"}, {"answer"}}, []string{"GET", "GET"}, "[200 200]", "[GET GET GET]", false},
		"dropped, may not":           {[][]string{{"answer", "drop"}, {"answer"}}, []string{"GET", "POST"}, "[200 500]", "[GET POST]", false},
		"new connection is dropped":  {[][]string{{"drop"}, {"answer"}}, []string{"GET"}, "[500]", "[GET]", false},
		"connections are used again": {[][]string{{"answer", "answer", "answer"}}, []string{"GET", "POST", "PUT"}, "[200 200 200]", "[GET POST PUT]", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := script(t, c.steps...)
			addr := proxiedTo(t, "http://"+s.Addr().String())
			var statuses []int
			for _, method := range c.methods {
				req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr, strings.NewReader(map[bool]string{true: "body"}[method == "POST"]))
				if err != nil {
					t.Fatal(err)
				}
				res, err := http.DefaultTransport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				statuses = append(statuses, res.StatusCode)
				if err := res.Body.Close(); err != nil {
					t.Fatal(err)
				}
				if c.closes {
					<-s.closed // else the next request may come first
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if fmt.Sprint(statuses) != c.statuses || fmt.Sprint(s.requests) != c.requests {
				t.Errorf("statuses %v, want %s; requests %v, want %s", statuses, c.statuses, s.requests, c.requests)
			}
		})
	}
}
