package sandbox

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// freezeAfter is how long a sandbox stays awake after an invocation. Stopping and waking every thread costs more than a short invocation, so
// under steady load it is left out.
const freezeAfter = 5 * time.Millisecond

// A freezer stops every process of a sandbox between invocations. With cgroup v2 it is the kernel's; else process 1 sends SIGSTOP and SIGCONT.
// The v1 freezer controller is not used: a process frozen by it cannot be killed, so it would outlive a killed program.
type freezer interface {
	freeze(frozen bool) error
}

type cgroupFreezer string

func (dir cgroupFreezer) freeze(frozen bool) error {
	value := []byte("0")
	if frozen {
		value = []byte("1")
	}
	return os.WriteFile(filepath.Join(string(dir), "cgroup.freeze"), value, 0o644)
}

type signalFreezer struct{ control *channel }

func (f signalFreezer) freeze(frozen bool) error {
	signal := unix.SIGCONT
	if frozen {
		signal = unix.SIGSTOP
	}
	return f.control.send(order{Signal: signal, All: true})
}

// Rest freezes the sandbox a moment later unless it is woken before. Invoke does so by itself; it is for after Boot when no invocation follows.
func (s *Sandbox) Rest() {
	s.freezeMu.Lock()
	defer s.freezeMu.Unlock()
	if s.timer == nil {
		s.timer = time.AfterFunc(freezeAfter, s.freezeNow)
		return
	}
	s.timer.Reset(freezeAfter)
}

func (s *Sandbox) freezeNow() {
	s.freezeMu.Lock()
	defer s.freezeMu.Unlock()
	if s.frozen || s.awake {
		return
	}
	if err := s.freezer.freeze(true); err == nil { // an error means that the sandbox is gone, which its exit tells
		s.frozen = true
	}
}

// wake thaws the sandbox and keeps it awake until doze.
func (s *Sandbox) wake() {
	s.freezeMu.Lock()
	defer s.freezeMu.Unlock()
	s.awake = true
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.frozen && s.freezer.freeze(false) == nil {
		s.frozen = false
	}
}

// doze lets the sandbox freeze.
func (s *Sandbox) doze() {
	s.freezeMu.Lock()
	s.awake = false
	s.freezeMu.Unlock()
	s.Rest()
}
