package sandbox

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// gate is an API inside the sandbox where an extension waits for the test.
type gate struct{ reached, open chan struct{} }

func newGate() *gate { return &gate{make(chan struct{}), make(chan struct{})} }

func (g *gate) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	for _, step := range []chan struct{}{g.reached, g.open} {
		select {
		case step <- struct{}{}:
		case <-r.Context().Done():
			return
		}
	}
}

func extensionSpec(log *logLines, mode string) Spec {
	return Spec{Opt: optDir, Log: log.add, Function: Function{Variables: map[string]string{"EXTENSION": mode}}}
}

// The initialization and an invocation last until the extension has asked for its next event, too.
func TestExtensionIsWaitedFor(t *testing.T) {
	t.Parallel()
	var log logLines
	g := newGate()
	spec := extensionSpec(&log, "wait")
	spec.API = g
	s := startSandbox(t, openHost(t), spec)
	booted := make(chan error, 1)
	go func() {
		_, err := s.Boot(t.Context())
		booted <- err
	}()
	<-g.reached
	select {
	case err := <-booted:
		t.Fatalf("booted without the extension: %v", err)
	default:
	}
	<-g.open
	if err := <-booted; err != nil {
		t.Fatal(err)
	}
	if got := s.Extensions(); len(got) != 1 || got[0].Name != "watcher" || got[0].State != "Ready" || strings.Join(got[0].Events, ",") != "INVOKE,SHUTDOWN" {
		t.Errorf("extensions = %+v", got)
	}
	answered, done := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := s.Invoke(t.Context(), Invocation{RequestID: "r1", Deadline: time.Now().Add(time.Minute), Payload: []byte(`"x"`)}, func(Response) { close(answered) })
		done <- err
	}()
	<-answered
	<-g.reached
	select {
	case err := <-done:
		t.Fatalf("done without the extension: %v", err)
	default:
	}
	<-g.open
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"extension starts in / with the task root: false", "extension got INVOKE r1", "extension got SHUTDOWN spindown"} {
		if got := log.String(); !strings.Contains(got, want) {
			t.Errorf("log:\n%s\nlacks %s", got, want)
		}
	}
}

func TestExtensionFails(t *testing.T) {
	t.Parallel()
	h := openHost(t)
	for _, test := range []struct{ mode, kind, status string }{
		{"exit", "Extension.Crash", "exit status 7"},
		{"init error", "Extension.InitError", "no licence"},
		{"crash", "Extension.Crash", "exit status 8"},
	} {
		t.Run(test.mode, func(t *testing.T) {
			t.Parallel()
			s := startSandbox(t, h, extensionSpec(&logLines{}, test.mode))
			_, err := s.Boot(t.Context())
			if test.mode == "crash" { // not before the first invocation
				if err != nil {
					t.Fatal(err)
				}
				_, err = invoke(t, s, `{"Do":"sleep","N":60000}`)
			}
			if f := wantFailure(t, err, Extension); f.Type != test.kind || f.Status != test.status {
				t.Errorf("failure %+v", f)
			}
			if s.Reusable() {
				t.Error("the sandbox can be used again")
			}
		})
	}
	t.Run("does not register", func(t *testing.T) {
		t.Parallel()
		s := startSandbox(t, h, extensionSpec(&logLines{}, "hang"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		booted := make(chan error, 1)
		go func() {
			_, err := s.Boot(ctx)
			booted <- err
		}()
		await(t, "it is started", func() bool { return len(s.Extensions()) == 1 })
		cancel() // as at the end of its time
		wantFailure(t, <-booted, TimedOut)
		if got := s.Extensions(); got[0].State == "Ready" {
			t.Errorf("extensions = %+v", got)
		}
	})
	t.Run("cannot be executed", func(t *testing.T) {
		t.Parallel()
		opt := t.TempDir()
		if err := os.MkdirAll(filepath.Join(opt, "extensions"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(opt, "extensions", "text"), []byte("no program"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(opt, 0o755); err != nil {
			t.Fatal(err)
		}
		s := startSandbox(t, h, Spec{Opt: opt})
		_, err := s.Boot(t.Context())
		if f := wantFailure(t, err, Extension); f.Type != "Extension.LaunchError" || f.Status != "fork/exec /opt/extensions/text: permission denied" {
			t.Errorf("failure %+v", f)
		}
		if got := s.Extensions(); got[0].State != "LaunchError" || got[0].ErrorType != "PermissionDenied" {
			t.Errorf("extensions = %+v", got)
		}
	})
}

// What lies where extensions would is none if it is no directory.
func TestNoExtensions(t *testing.T) {
	t.Parallel()
	opt := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(opt, "extensions"), []byte("text"), 0o644), os.Chmod(opt, 0o755)); err != nil {
		t.Fatal(err)
	}
	s := bootSandbox(t, openHost(t), Spec{Opt: opt})
	if got := s.Extensions(); len(got) != 0 {
		t.Errorf("extensions = %+v", got)
	}
}

// At a timeout, and when the runtime has ended, the extension hears why.
func TestExtensionHearsWhy(t *testing.T) {
	t.Parallel()
	h := openHost(t)
	for _, test := range []struct {
		name, event, reason string
		limit               time.Duration
	}{{"timeout", `{"Do":"sleep","N":60000}`, "timeout", 200 * time.Millisecond}, {"exit", `{"Do":"exit"}`, "failure", time.Minute}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var log logLines
			s := bootSandbox(t, h, extensionSpec(&log, ""))
			if _, err := invokeFor(t, s, test.event, test.limit); err == nil {
				t.Error("no failure")
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if got := log.String(); !strings.Contains(got, "extension got SHUTDOWN "+test.reason) {
				t.Errorf("log:\n%s", got)
			}
		})
	}
}
