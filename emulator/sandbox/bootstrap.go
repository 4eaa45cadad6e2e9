package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The user that a function runs as on Lambda.
const (
	sandboxUID = 993
	sandboxGID = 990
)

// maxFiles is RLIMIT_NOFILE on Lambda.
const maxFiles = 1024

// bootstraps are where Lambda looks for a custom runtime's program.
var bootstraps = []string{"/var/task/bootstrap", "/opt/bootstrap"}

// startBootstrap starts the function's program, stripped of all rights, and returns its pid. An error is worded as Lambda words
// Runtime.InvalidEntrypoint.
func startBootstrap(l layout) (int, error) {
	path, args, err := program(l)
	if err != nil {
		return 0, err
	}
	return start(l, path, args)
}

// start starts a program of the sandbox, as bootstrap is, and returns its pid.
func start(l layout, path string, args []string) (int, error) {
	type result struct {
		pid int
		err error
	}
	done := make(chan result)
	go func() {
		// Never unlocked: the thread, which is in the sandbox's cgroups and without rights from here on, ends with the goroutine.
		runtime.LockOSThread()
		pid, err := forkProgram(l, path, args)
		done <- result{pid, err}
	}()
	r := <-done
	return r.pid, r.err
}

// errNoDir means that the working directory is not there.
var errNoDir = errors.New("no such working directory")

// program returns what to start and its arguments.
func program(l layout) (path string, args []string, err error) {
	if len(l.Args) == 0 {
		path, err = findBootstrap()
		return path, []string{path}, err
	}
	if info, err := os.Stat(l.Dir); err != nil || !info.IsDir() {
		return "", nil, fmt.Errorf("chdir %s: %w", l.Dir, errNoDir)
	}
	path, err = lookPath(l.Args[0], l.Env)
	return path, l.Args, err
}

// lookPath finds a program as a shell does.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, variable := range env {
		dirs, ok := strings.CutPrefix(variable, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(dirs) {
			path := filepath.Join("/", dir, name)
			if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("exec: %q: executable file not found in $PATH", name)
}

func findBootstrap() (string, error) {
	for _, path := range bootstraps {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("fork/exec %s: %w", path, err)
		}
		return path, nil
	}
	return "", fmt.Errorf("Couldn't find valid bootstrap(s): %v", bootstraps) //nolint:staticcheck // Lambda's words
}

// forkProgram changes the calling thread for good: call it on a locked one that is thrown away.
func forkProgram(l layout, path string, args []string) (int, error) {
	for i := range l.Tasks {
		// "0" means the writing thread. Unlike moving a whole process this takes no lock of the machine, which costs 20 ms when idle.
		if _, err := unix.Write(fdCgroups+i, []byte("0")); err != nil {
			return 0, fmt.Errorf("join cgroup: %w", err)
		}
	}
	if err := dropRights(); err != nil {
		return 0, err
	}
	attr := &syscall.ProcAttr{
		Dir:   l.Dir,
		Env:   l.Env,
		Files: []uintptr{0, fdLog, fdLog},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	if l.Drop {
		attr.Sys.Credential = &syscall.Credential{Uid: sandboxUID, Gid: sandboxGID}
	}
	if l.Unified {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, fdCgroups+l.Tasks
	}
	pid, err := syscall.ForkExec(path, args, attr)
	if err != nil {
		return 0, &fs.PathError{Op: "fork/exec", Path: path, Err: err}
	}
	return pid, nil
}

// dropRights leaves this thread nothing to hand on: no limit to be raised, no capability to be inherited or gained.
func dropRights() error {
	files := &unix.Rlimit{Cur: maxFiles, Max: maxFiles}
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, files, nil); err != nil {
		return fmt.Errorf("limit open files: %w", err)
	}
	if err := unix.Prlimit(0, unix.RLIMIT_CORE, &unix.Rlimit{}, nil); err != nil {
		return fmt.Errorf("limit core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	last, err := lastCapability()
	if err != nil {
		return err
	}
	for c := range uintptr(last + 1) {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}

func lastCapability() (int, error) {
	data, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return 0, fmt.Errorf("read last capability: %w", err)
	}
	last, err := strconv.Atoi(string(data[:max(0, len(data)-1)]))
	if err != nil {
		return 0, fmt.Errorf("read last capability: %w", err)
	}
	return last, nil
}
