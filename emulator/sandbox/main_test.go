package sandbox

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// taskDir holds the test runtime as a function's code, optDir an external extension as layers have it.
var taskDir, optDir string

func TestMain(m *testing.M) {
	Init()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	if code, child := runChild(); child {
		return code
	}
	dir, err := os.MkdirTemp("", "sandbox-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	taskDir, optDir = filepath.Join(dir, "task"), filepath.Join(dir, "opt")
	for path, source := range map[string]string{filepath.Join(taskDir, "bootstrap"): "./testdata/runtime", filepath.Join(optDir, "extensions", "watcher"): "./testdata/extension"} {
		build := exec.Command("go", "build", "-o", path, source)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", source, err, out)
			return 1
		}
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(taskDir, 0o755)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func openHost(t testing.TB) *Host {
	t.Helper()
	h, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// logLines collects what functions print.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) add(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func startSandbox(t testing.TB, h *Host, spec Spec) *Sandbox {
	t.Helper()
	if spec.Task == "" {
		spec.Task = taskDir
	}
	if spec.Function.MemoryMB == 0 {
		spec.Function.MemoryMB = 256
	}
	s, err := h.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	s.graces = graces{time.Minute, time.Minute} // however busy the machine is
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func bootSandbox(t testing.TB, h *Host, spec Spec) *Sandbox {
	t.Helper()
	s := startSandbox(t, h, spec)
	if _, err := s.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// invoke returns the whole answer.
func invoke(t testing.TB, s *Sandbox, payload string) (string, error) {
	t.Helper()
	return invokeFor(t, s, payload, time.Minute)
}

func invokeFor(t testing.TB, s *Sandbox, payload string, timeout time.Duration) (string, error) {
	t.Helper()
	type answer struct {
		body string
		err  error
	}
	answers := make(chan answer, 1)
	var begun atomic.Bool
	inv := Invocation{RequestID: newID(), Deadline: time.Now().Add(timeout), FunctionARN: "arn:f", Payload: []byte(payload)}
	_, err := s.Invoke(t.Context(), inv, func(r Response) {
		begun.Store(true)
		go func() {
			data, err := io.ReadAll(r.Body)
			answers <- answer{string(data), err}
		}()
	})
	if !begun.Load() {
		return "", err
	}
	a := <-answers
	if err == nil {
		err = a.err
	}
	return a.body, err
}

func mustInvoke(t testing.TB, s *Sandbox, payload string) string {
	t.Helper()
	body, err := invoke(t, s, payload)
	if err != nil {
		t.Fatalf("invoke %s: %v", payload, err)
	}
	return body
}

func shell(t testing.TB, s *Sandbox, command string) string {
	t.Helper()
	return mustInvoke(t, s, fmt.Sprintf(`{"Do":"sh","Text":%q}`, command))
}

// handshake is an API inside the sandbox by which a function tells the test where it is and waits for it.
type handshake struct {
	reached chan string
	goOn    chan struct{}
}

func newHandshake() *handshake {
	return &handshake{reached: make(chan string), goOn: make(chan struct{})}
}

func (h *handshake) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	select {
	case h.reached <- r.URL.Path:
	case <-r.Context().Done():
		return
	}
	select {
	case <-h.goOn:
	case <-r.Context().Done():
	}
}
