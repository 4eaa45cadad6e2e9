package watchdog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// child is a long-lived process of the function.
type child struct {
	cmd  *exec.Cmd
	name string        // its command, for errors
	done chan struct{} // closed when the process ended and err is set
	err  error         // why it ended, wraps ErrExited
}

// startChild starts argv with its output going to logs.
func startChild(env environment, argv []string, logs logs) (*child, error) {
	name := strings.Join(argv, " ")
	cmd, err := env.command(argv, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: start %q: %w", ErrStart, name, err)
	}
	logged, theirs, err := attach(cmd, logs)
	if err != nil {
		return nil, fmt.Errorf("%w: start %q: %w", ErrStart, name, err)
	}
	err = cmd.Start()
	closeFiles(theirs...) // after a failed start this ends the logging
	if err != nil {
		return nil, fmt.Errorf("%w: start %q in %s: %w", ErrStart, name, env.dir, err)
	}
	c := &child{cmd: cmd, name: name, done: make(chan struct{})}
	go func() { // ends with the process
		err := cmd.Wait()
		status := "exit status 0"
		if err != nil {
			status = err.Error()
		}
		drain(logged...)
		c.err = fmt.Errorf("%w: %q: %s", ErrExited, name, status)
		close(c.done)
	}()
	return c, nil
}

// attach makes cmd's stdout and stderr pipes that are copied to logs, until every
// process has closed its end: then logged is closed. theirs are the ends that
// the process gets, to be closed here once it has them.
func attach(cmd *exec.Cmd, logs logs) (logged []<-chan struct{}, theirs []*os.File, err error) {
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		closeFiles(outR, outW)
		return nil, nil, err
	}
	cmd.Stdout, cmd.Stderr = outW, errW
	return []<-chan struct{}{logs.stdout.follow(outR), logs.stderr.follow(errR)}, []*os.File{outW, errW}, nil
}

// drain waits until the output of an ended process is logged. A process that it
// left behind may hold the pipes open: that one is not waited for.
func drain(logged ...<-chan struct{}) {
	patience := time.NewTimer(100 * time.Millisecond)
	defer patience.Stop()
	for _, one := range logged {
		select {
		case <-one:
		case <-patience.C:
			return
		}
	}
}

// ended reports whether the process has ended.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// endsSoon waits for the end of a process that no longer listens: a crashing
// JVM, for one, closes its sockets a good while before it is gone. It reports
// whether the process ended, before ctx and within so much time.
func (c *child) endsSoon(ctx context.Context, within time.Duration) bool {
	patience := time.NewTimer(within)
	defer patience.Stop()
	select {
	case <-c.done:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
}

// stop asks the process group to end, and kills it when ctx is done first.
func (c *child) stop(ctx context.Context) error {
	err := kill(c.cmd, syscall.SIGTERM)
	select {
	case <-c.done:
	case <-ctx.Done():
	}
	// What the process left behind goes with it.
	err = errors.Join(err, kill(c.cmd, syscall.SIGKILL))
	<-c.done
	return err
}
