package watchdog

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// environment is where the function's programs are found and run.
type environment struct {
	dir  string   // working directory
	root string   // where the image's root lies
	vars []string // NAME=value
}

// find returns the file of the program called name: one with a slash is taken
// as a path (relative to dir; under root when it exists only there), one
// without is looked up in the PATH of the function's environment, never of ours.
// A path is returned even if nothing is there, so that starting it says so.
func (e environment) find(name string) (string, error) {
	if strings.Contains(name, "/") {
		if filepath.IsAbs(name) && !exists(name) && exists(filepath.Join(e.root, name)) {
			return filepath.Join(e.root, name), nil
		}
		return name, nil
	}
	for _, dir := range filepath.SplitList(lookup(e.vars, "PATH")) {
		if !filepath.IsAbs(dir) { // an empty element is the working directory
			dir = filepath.Join(e.dir, dir)
		}
		for _, dir := range []string{dir, filepath.Join(e.root, dir)} {
			if path := filepath.Join(dir, name); executable(path) {
				return path, nil
			}
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// command returns argv ready to start in a process group of its own, so that
// whatever it starts can be ended with it. extra goes before the function's
// own variables' last word: a name in both has the value of extra.
func (e environment) command(argv, extra []string) (*exec.Cmd, error) {
	path, err := e.find(argv[0])
	if err != nil {
		return nil, err
	}
	vars := e.vars
	if len(extra) > 0 {
		vars = append(vars[:len(vars):len(vars)], extra...)
	}
	return &exec.Cmd{
		Path: path, Args: argv, Dir: e.dir, Env: vars,
		// A group of its own, to be ended as a whole; and no function outlives
		// the watchdog, however that ends. (Linux sends the signal when the
		// thread that forked ends. Go ends only threads whose goroutine ended
		// locked to them, and there is none here.)
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}, nil
}

// kill sends sig to the process group that cmd leads. That the group has gone
// already is no error.
func kill(cmd *exec.Cmd, sig syscall.Signal) error {
	if err := syscall.Kill(-cmd.Process.Pid, sig); err != nil && err != syscall.ESRCH {
		return os.NewSyscallError("kill", err)
	}
	return nil
}

// lookup returns the last value of name, the one that a process would see.
func lookup(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if n, value, ok := strings.Cut(env[i], "="); ok && n == name {
			return value
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}
