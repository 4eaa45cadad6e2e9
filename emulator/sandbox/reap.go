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
	layout layout
	pid    int // of bootstrap; 0 before its start
}

// serve carries out orders and reaps children until bootstrap ends. Its result is the process's exit code; leaving kills all that is left.
func (p *initProcess) serve(control *channel, orders <-chan order) int {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	for {
		var answer notice
		select {
		case o := <-orders:
			answer = p.obey(o)
		case <-children:
			status, ended := p.reap()
			if !ended {
				continue
			}
			answer = notice{Exited: true, Status: status}
		}
		if err := control.send(answer); err != nil {
			return 3
		}
		if answer.Exited || answer.Entry != "" {
			return 0
		}
	}
}

func (p *initProcess) obey(o order) notice {
	if o.Start {
		pid, err := startBootstrap(p.layout)
		if err != nil {
			return notice{Entry: err.Error(), NoDir: errors.Is(err, errNoDir)}
		}
		p.pid = pid
		return notice{Started: true}
	}
	target := p.pid
	if o.All {
		target = -1 // every process of the namespace but this one (kill(2))
	}
	// ESRCH is no error here: a process that is gone needs no signal, and its end has been or will be told.
	if err := unix.Kill(target, o.Signal); err != nil && !errors.Is(err, unix.ESRCH) {
		return notice{Fault: fmt.Sprintf("signal sandbox: %v", err)}
	}
	return notice{Signal: true}
}

// reap collects every child that has ended, orphans included, and says how bootstrap ended if it is among them.
func (p *initProcess) reap() (status string, ended bool) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return status, ended
		}
		if pid == p.pid {
			status, ended = describe(ws), true
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
