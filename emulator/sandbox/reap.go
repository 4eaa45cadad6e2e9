package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// initProcess is the state of process 1 once the sandbox stands.
type initProcess struct {
	layout     layout
	extensions []string       // names of the external ones
	running    map[int]string // what has been started and has not ended: extensions by pid, bootstrap as ""
	over       bool           // bootstrap has ended, or could not be started
}

// serve carries out orders and reaps children until bootstrap and all extensions have ended. Its result is the process's exit code; leaving kills all
// that is left.
func (p *initProcess) serve(control *channel, orders <-chan order) int {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	for {
		var answers []notice
		select {
		case o := <-orders:
			answers = p.obey(o)
		case <-children:
			answers = p.reap()
		}
		for _, answer := range answers {
			if err := control.send(answer); err != nil {
				return 3
			}
		}
		if p.over && len(p.running) == 0 {
			return 0
		}
	}
}

func (p *initProcess) obey(o order) []notice {
	switch {
	case o.Extend:
		return p.extend()
	case o.Start:
		pid, err := startBootstrap(p.layout)
		if err != nil {
			p.over = true
			return []notice{{Entry: err.Error(), NoDir: errors.Is(err, errNoDir)}}
		}
		p.running[pid] = ""
		return []notice{{Started: true}}
	}
	return p.signal(o)
}

// extend starts all extensions, and says which could not be started.
func (p *initProcess) extend() (failed []notice) {
	for _, name := range p.extensions {
		pid, err := startExtension(p.layout, name)
		if err != nil {
			failed = append(failed, notice{Extension: name, Entry: err.Error()})
			continue
		}
		p.running[pid] = name
	}
	return failed
}

func (p *initProcess) signal(o order) []notice {
	target := -1 // every process of the namespace but this one (kill(2))
	if !o.All {
		target = 0
		for pid, extension := range p.running {
			if extension == "" {
				target = pid
			}
		}
	}
	if target == 0 { // bootstrap is gone, which has been told
		return []notice{{Signal: true}}
	}
	// ESRCH is no error here: a process that is gone needs no signal, and its end has been or will be told.
	if err := unix.Kill(target, o.Signal); err != nil && !errors.Is(err, unix.ESRCH) {
		return []notice{{Fault: fmt.Sprintf("signal sandbox: %v", err)}}
	}
	return []notice{{Signal: true}}
}

// reap collects every child that has ended, orphans included, and says how bootstrap and extensions ended if they are among them.
func (p *initProcess) reap() (ended []notice) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return ended
		}
		if extension, ours := p.running[pid]; ours {
			delete(p.running, pid)
			p.over = p.over || extension == ""
			ended = append(ended, notice{Exited: true, Status: describe(ws), Extension: extension})
		}
	}
}

// describe words a wait status as Go's os package does; so does Lambda, whose supervisor is written in Go.
func describe(ws unix.WaitStatus) string {
	if ws.Signaled() {
		text := "signal: " + signalText(ws.Signal())
		if ws.CoreDump() {
			text += " (core dumped)"
		}
		return text
	}
	return fmt.Sprintf("exit status %d", ws.ExitStatus())
}

func signalText(s unix.Signal) string { return s.String() }
