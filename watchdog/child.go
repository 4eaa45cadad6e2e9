package watchdog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
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
	var output sync.WaitGroup
	closeOurs, err := attach(cmd, logs, &output)
	if err != nil {
		return nil, fmt.Errorf("%w: start %q: %w", ErrStart, name, err)
	}
	err = cmd.Start()
	closeOurs(err)
	if err != nil {
		output.Wait()
		return nil, fmt.Errorf("%w: start %q in %s: %w", ErrStart, name, env.dir, err)
	}
	c := &child{cmd: cmd, name: name, done: make(chan struct{})}
	go func() { // ends with the process
		err := cmd.Wait()
		status := "exit status 0"
		if err != nil {
			status = err.Error()
		}
		drain(&output)
		c.err = fmt.Errorf("%w: %q: %s", ErrExited, name, status)
		close(c.done)
	}()
	return c, nil
}

// attach makes cmd's stdout and stderr pipes that are copied to logs. The
// returned function closes the ends that are the process's; after a failed start
// also those that are ours.
func attach(cmd *exec.Cmd, logs logs, output *sync.WaitGroup) (func(error), error) {
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, outR.Close(), outW.Close())
	}
	cmd.Stdout, cmd.Stderr = outW, errW
	for r, w := range map[*os.File]*logWriter{outR: logs.stdout, errR: logs.stderr} {
		output.Add(1)
		go func() { // ends when every process has closed its end
			defer output.Done()
			_ = w.copy(r) // a pipe read fails only when it is closed
			_ = r.Close()
		}()
	}
	return func(error) {
		// Nothing was written through these: closing them cannot lose anything.
		_ = outW.Close()
		_ = errW.Close()
	}, nil
}

// drain waits until the output of an ended process is logged. A process that it
// left behind may hold the pipes open: that one is not waited for.
func drain(output *sync.WaitGroup) {
	logged := make(chan struct{})
	go func() { output.Wait(); close(logged) }()
	patience := time.NewTimer(100 * time.Millisecond)
	defer patience.Stop()
	select {
	case <-logged:
	case <-patience.C:
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
