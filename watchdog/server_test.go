package watchdog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/watchdog/watchdogtest"
)

// asFunction is a variable with the address that this program listens on as the
// process of a function, mayEnd one with the address of who says when it may end.
const (
	asFunction = "WATCHDOG_TEST_FUNCTION"
	mayEnd     = "WATCHDOG_TEST_MAY_END"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(asFunction); addr != "" {
		fmt.Fprintln(os.Stderr, slowToEnd(addr, os.Getenv(mayEnd)))
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// slowToEnd serves until /crash, which closes the socket. Then it connects to
// allow, and returns when that connection is closed.
func slowToEnd(addr, allow string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/crash" {
			_ = listener.Close()
			panic(http.ErrAbortHandler)
		}
		_, _ = io.Copy(w, r.Body)
	})}
	served := server.Serve(listener)
	waiting, err := net.Dial("tcp", allow)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, waiting)
	return errors.Join(served, err)
}

// TestTheRequestAfterACrashIsServed asks while the process that crashed has
// closed its socket and is not gone yet.
func TestTheRequestAfterACrashIsServed(t *testing.T) {
	addr := watchdogtest.FreeAddr(t)
	crashed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = crashed.Close() })
	cfg, err := ParseConfig(OfWatchdog, []string{"mode=http", "fprocess=" + os.Args[0], "upstream_url=http://" + addr, "http_buffer_req_body=true", asFunction + "=" + addr, mayEnd + "=" + crashed.Addr().String()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(cfg, Options{Dir: t.TempDir(), Stdout: io.Discard, Stderr: io.Discard, Logger: slog.New(slog.DiscardHandler), Restart: true})
	if err != nil {
		t.Fatal(err)
	}
	unhurried(w)
	t.Cleanup(func() {
		if err := w.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	var waiting net.Conn // of the process that crashed
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if waiting != nil {
			_ = waiting.Close()
		}
		w.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	for i, c := range []struct {
		path   string
		status int
	}{{"/", 200}, {"/crash", 500}, {"/", 200}, {"/crash", 500}, {"/", 200}} {
		res, err := http.Post(front.URL+c.path, "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != c.status || err != nil || c.status == 200 && string(body) != "hello" {
			t.Errorf("request %d, %s: status %d %q %v, want %d", i, c.path, res.StatusCode, body, err, c.status)
		}
		if waiting = nil; c.path == "/crash" {
			if waiting, err = crashed.Accept(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
