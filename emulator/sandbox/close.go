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

// Exited is closed when every process of the sandbox is gone; Exit is valid from then on.
func (s *Sandbox) Exited() <-chan struct{} { return s.exited }

// Exit says how bootstrap ended. Call it after Exited.
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

// Close ends the sandbox and removes everything that it had. A function that has registered an extension gets SIGTERM and a moment first.
func (s *Sandbox) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Sandbox) close() error {
	s.wake()
	if s.state.hasExtension() {
		s.terminate()
	}
	s.Kill()
	return s.release()
}

func (s *Sandbox) terminate() {
	if err := s.control.send(order{Signal: unix.SIGTERM}); err != nil {
		return // process 1 is gone, and all others with it
	}
	s.awaitExit(shutdownGrace)
}

// awaitExit waits for the function to end by itself.
func (s *Sandbox) awaitExit(longest time.Duration) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-s.exited:
	case <-timer.C:
	}
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
