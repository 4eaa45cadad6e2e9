package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func wantFailure(t *testing.T, err error, kind FailureKind) *Failure {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("error = %v, want a failure", err)
	}
	if f.Kind != kind {
		t.Fatalf("failure = %v (kind %d), want kind %d", f, f.Kind, kind)
	}
	return f
}

func TestInvocationFailures(t *testing.T) {
	h := openHost(t)
	for _, test := range []struct {
		name, payload string
		timeout       time.Duration
		kind          FailureKind
		check         func(f *Failure) string
		want          string
		reusable      bool
	}{
		{"posted", `{"Do":"fail","Text":"no"}`, time.Minute, Posted, func(f *Failure) string { return f.Type + string(f.Payload) },
			`Function.Failed{"errorMessage":"no","errorType":"errorString"}`, true},
		{"exit", `{"Do":"exit","N":5}`, time.Minute, Exited, func(f *Failure) string { return f.Status }, "exit status 5", false},
		{"killed", `{"Do":"sh","Text":"kill -9 $PPID"}`, time.Minute, Exited, func(f *Failure) string { return f.Status }, "signal: killed", false},
		{"timeout", `{"Do":"sleep","N":600000}`, 300 * time.Millisecond, TimedOut, func(*Failure) string { return "" }, "", false},
		{"too large", fmt.Sprintf(`{"Do":"big","N":%d}`, MaxResponse+1), time.Minute, TooLarge, func(*Failure) string { return "" }, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := bootSandbox(t, h, Spec{})
			_, err := invokeFor(t, s, test.payload, test.timeout)
			if got := test.check(wantFailure(t, err, test.kind)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if s.Reusable() != test.reusable {
				t.Errorf("reusable = %v, want %v", s.Reusable(), test.reusable)
			}
			if test.reusable {
				if got := mustInvoke(t, s, `"after"`); got != `"after"` {
					t.Errorf("next answer = %q", got)
				}
			}
		})
	}
}

func TestLargestResponse(t *testing.T) {
	s := bootSandbox(t, openHost(t), Spec{})
	if got := mustInvoke(t, s, fmt.Sprintf(`{"Do":"big","N":%d}`, MaxResponse)); len(got) != MaxResponse {
		t.Errorf("answer has %d bytes, want %d", len(got), MaxResponse)
	}
}

func TestInitFailures(t *testing.T) {
	h := openHost(t)
	empty := t.TempDir()
	notExecutable := t.TempDir()
	if err := os.WriteFile(filepath.Join(notExecutable, "bootstrap"), []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, task, init string
		kind             FailureKind
		text             string
	}{
		{"exit", taskDir, "exit", Exited, "exit status 3"},
		{"error", taskDir, "error", Posted, "bad config"},
		{"no bootstrap", empty, "", NoEntry, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"},
		{"not executable", notExecutable, "", NoEntry, "fork/exec /var/task/bootstrap: permission denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := os.Chmod(test.task, 0o755); err != nil {
				t.Fatal(err)
			}
			s := startSandbox(t, h, Spec{Task: test.task, Function: Function{Variables: map[string]string{"INIT": test.init}}})
			_, err := s.Boot(t.Context())
			f := wantFailure(t, err, test.kind)
			if got := f.Status + string(f.Payload) + f.Entry; !strings.Contains(got, test.text) {
				t.Errorf("failure = %q, want %q", got, test.text)
			}
		})
	}
}

func TestMemory(t *testing.T) {
	h := openHost(t)
	if !h.MemoryLimited() {
		t.Log("no memory cgroup here: only the accounting is tested")
	}
	s := bootSandbox(t, h, Spec{Function: Function{MemoryMB: 128}})
	mustInvoke(t, s, `{"Do":"eat","N":60}`)
	if used := s.MaxMemory() >> 20; used < 60 || used > 128 {
		t.Errorf("max memory = %d MB, want 60 to 128", used)
	}
	if !h.MemoryLimited() {
		return
	}
	_, err := invoke(t, s, `{"Do":"eat","N":300}`)
	if f := wantFailure(t, err, Exited); f.Status != "signal: killed" || !s.Exit().OOM {
		t.Errorf("status = %q, exit = %+v", f.Status, s.Exit())
	}
}

// Files in /tmp are on disk: writing more than the memory size neither fails nor counts.
func TestTmpIsNoMemory(t *testing.T) {
	s := bootSandbox(t, openHost(t), Spec{Function: Function{MemoryMB: 128}})
	if got := shell(t, s, "head -c 200000000 /dev/zero > /tmp/big && stat -c %s /tmp/big"); got != "200000000" {
		t.Errorf("got %q", got)
	}
	if used := s.MaxMemory() >> 20; used > 100 {
		t.Errorf("max memory = %d MB", used)
	}
}

// ticks is the CPU time of all processes of a sandbox.
func ticks(t *testing.T, init int) int64 {
	t.Helper()
	var sum int64
	for _, pid := range childrenOf(init) {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		for _, field := range fields[11:13] {
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
		sum += ticks(t, pid)
	}
	return sum
}

// await polls for something that the kernel does in its own time and tells nobody.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		}
	}
}

func (s *Sandbox) isFrozen() bool {
	s.freezeMu.Lock()
	defer s.freezeMu.Unlock()
	return s.frozen
}

func testFreeze(t *testing.T, s *Sandbox) {
	mustInvoke(t, s, `{"Do":"spin"}`)
	await(t, "frozen", s.isFrozen)
	pid := s.cmd.Process.Pid
	await(t, "at rest", func() bool {
		before := ticks(t, pid)
		<-time.After(100 * time.Millisecond) // ten ticks of the clock that counts CPU time
		return ticks(t, pid) == before
	})
	if got := mustInvoke(t, s, `"awake"`); got != `"awake"` {
		t.Errorf("answer = %q", got)
	}
}

func TestFreeze(t *testing.T) {
	testFreeze(t, bootSandbox(t, openHost(t), Spec{}))
}

func TestFreezeBySignals(t *testing.T) {
	s := bootSandbox(t, openHost(t), Spec{})
	s.freezer = signalFreezer{s.control}
	testFreeze(t, s)
}

func TestSamePortInTwoSandboxes(t *testing.T) {
	h := openHost(t)
	for _, name := range []string{"one", "two"} {
		s := bootSandbox(t, h, Spec{})
		mustInvoke(t, s, fmt.Sprintf(`{"Do":"listen","Text":%q}`, name))
		if got := mustInvoke(t, s, `{"Do":"get","Wait":"http://127.0.0.1:8082/"}`); got != name {
			t.Errorf("port 8082 answers %q, want %q", got, name)
		}
	}
}

func TestNoNetwork(t *testing.T) {
	s := bootSandbox(t, openHost(t), Spec{})
	_, err := invoke(t, s, `{"Do":"get","Wait":"http://192.0.2.1/"}`)
	f := wantFailure(t, err, Posted)
	if !strings.Contains(string(f.Payload), "network is unreachable") {
		t.Errorf("failure = %s", f.Payload)
	}
}

func TestTmpIsOwnAndStays(t *testing.T) {
	h := openHost(t)
	one, two := bootSandbox(t, h, Spec{}), bootSandbox(t, h, Spec{})
	shell(t, one, "echo mine > /tmp/f")
	if got := shell(t, two, "ls -A /tmp"); got != "" {
		t.Errorf("the other's /tmp holds %q", got)
	}
	if got := shell(t, one, "cat /tmp/f"); got != "mine" {
		t.Errorf("got %q", got)
	}
}

func TestOrphansAreReaped(t *testing.T) {
	s := bootSandbox(t, openHost(t), Spec{})
	mustInvoke(t, s, `{"Do":"leave"}`)
	shell(t, s, `for p in /proc/[0-9]*; do [ "$(cat $p/comm)" = sleep ] && kill ${p#/proc/}; done; true`)
	await(t, "orphan reaped", func() bool {
		return !strings.Contains(shell(t, s, "cat /proc/[0-9]*/comm"), "sleep")
	})
}

func TestTermination(t *testing.T) {
	h := openHost(t)
	for _, test := range []struct {
		name, init string
		want       bool
	}{{"with an extension", "extension", true}, {"without", "", false}} {
		t.Run(test.name, func(t *testing.T) {
			var log logLines
			s := bootSandbox(t, h, Spec{Log: log.add, Function: Function{Variables: map[string]string{"INIT": test.init}}})
			mustInvoke(t, s, `{}`)
			await(t, "frozen", s.isFrozen)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(log.String(), "got SIGTERM"); got != test.want {
				t.Errorf("got SIGTERM = %v, want %v; log %q", got, test.want, log.String())
			}
		})
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	h := openHost(t)
	s := bootSandbox(t, h, Spec{})
	mustInvoke(t, s, `{"Do":"spin"}`)
	mustInvoke(t, s, `{"Do":"leave"}`)
	pids := append(childrenOf(s.cmd.Process.Pid), s.cmd.Process.Pid)
	dirs := append(s.group.dirs(), s.dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
			t.Errorf("process %d: %v", pid, err)
		}
	}
	for _, dir := range dirs {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
