package workshop

import (
	"context"
	"os/exec"
	"syscall"
	"time"
)

func lookUp(name string) (string, error) { return exec.LookPath(name) }

// newCommand prepares a tool that is told to end when ctx does, and ended when
// it does not.
func newCommand(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	return cmd
}
