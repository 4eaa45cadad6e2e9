package sandbox

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// shutdownGrace is the time between SIGTERM and SIGKILL where an internal extension is registered (AWS: Lambda extensions API, "Shutdown
// phase": 500 ms).
const shutdownGrace = 500 * time.Millisecond

// graces are how long the processes of a sandbox may take to end: those of one with internal extensions, and with external ones.
type graces struct{ internal, external time.Duration }

// Exit says how bootstrap ended. Call it when the sandbox is no longer Reusable.
func (s *Sandbox) Exit() Exit { return s.exit }

// Kill ends every process of the sandbox at once and returns when they are gone. The sandbox must still be closed.
func (s *Sandbox) Kill() {
	s.wake()
	_ = s.cmd.Process.Kill() // already gone is as good
	<-s.exited
}

// MaxMemory is the most memory that the sandbox has used, in bytes.
func (s *Sandbox) MaxMemory() int64 {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if used := s.group.used(); used > 0 {
		s.state.maxMemory = max(s.state.maxMemory, used)
	} else if !s.group.limited() {
		s.state.maxMemory = max(s.state.maxMemory, processMemory(s.cmd.Process.Pid))
	}
	return s.state.maxMemory
}

// Close ends the sandbox and removes everything that it had. A function that has registered an extension gets SIGTERM and a moment first, and the
// external extensions are told.
func (s *Sandbox) Close() error {
	s.closeOnce.Do(func() {
		reason := reasonSpindown
		if !s.Reusable() {
			reason = reasonFailure
		}
		s.end(reason)
		s.closeErr = s.release()
	})
	return s.closeErr
}

// end ends every process, with whatever grace they have a right to.
func (s *Sandbox) end(reason string) {
	s.wake()
	switch {
	case len(s.state.externals) > 0:
		s.shutDown(reason)
	case reason == reasonSpindown && s.state.hasExtension():
		s.terminate()
	}
	s.Kill()
}

func (s *Sandbox) terminate() {
	if err := s.control.send(order{Signal: unix.SIGTERM}); err != nil {
		return // process 1 is gone, and all others with it
	}
	s.awaitRuntime(s.graces.internal)
}

// release is for when every process is gone.
func (s *Sandbox) release() error {
	var err error
	for _, server := range s.servers {
		err = errors.Join(err, server.Close())
	}
	s.state.end()
	s.serving.Wait()
	if s.logs != nil {
		err = errors.Join(err, s.logs.close())
	}
	if s.control != nil {
		err = errors.Join(err, s.control.close())
	}
	err = errors.Join(err, s.group.remove())
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	if err != nil {
		return fmt.Errorf("remove sandbox: %w", err)
	}
	return nil
}

// abandon undoes a Start that went wrong.
func (s *Sandbox) abandon() error {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill() // already gone is as good
		_ = s.cmd.Wait()         // it was killed
	}
	return s.release()
}
