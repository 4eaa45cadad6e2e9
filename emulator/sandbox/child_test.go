package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childVariable makes this test program act as a program that runs sandboxes, in the directory that it names.
const childVariable = "SANDBOX_TEST_CHILD"

// runChild prints what came of one sandbox and waits for the end of its standard input.
func runChild() (int, bool) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		return 0, false
	}
	if err := childMain(dir); err != nil {
		fmt.Println("error", err)
		return 1, true
	}
	return 0, true
}

func childMain(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	h, err := Open(ctx, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	s, err := h.Start(ctx, Spec{Task: filepath.Join(dir, "task"), Function: Function{MemoryMB: 128}})
	if err != nil {
		return err
	}
	if _, err := s.Boot(ctx); err != nil {
		return err
	}
	for _, payload := range []string{`{"Do":"sh","Text":"id -u; touch /x /usr/x /tmp/x; ls /tmp"}`, `{"Do":"spin"}`} {
		responses := make(chan Response, 1)
		_, err := s.Invoke(ctx, Invocation{RequestID: newID(), Deadline: time.Now().Add(time.Minute), Payload: []byte(payload)},
			func(r Response) { responses <- r })
		if err != nil {
			return err
		}
		body, err := io.ReadAll((<-responses).Body)
		if err != nil {
			return err
		}
		fmt.Printf("answer %q\n", body)
	}
	for !s.frozenNow() {
		<-time.After(time.Millisecond)
	}
	fmt.Println("memory", s.MaxMemory()>>20)
	fmt.Println("pids", s.cmd.Process.Pid, strings.Trim(fmt.Sprint(childrenOf(s.cmd.Process.Pid)), "[]"))
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return errors.Join(s.Close(), h.Close())
}

func (s *Sandbox) frozenNow() bool {
	s.freezeMu.Lock()
	defer s.freezeMu.Unlock()
	return s.frozen
}

type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines map[string][]string
	dir   string
}

// startChild runs this program again, as the user, and returns once its sandbox is frozen.
func startChild(t *testing.T, uid int) *child {
	t.Helper()
	dir, err := os.MkdirTemp("", "sandbox-child-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	program := filepath.Join(dir, "program")
	copyFile(t, "/proc/self/exe", program)
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "task"), 0o755), os.Mkdir(filepath.Join(dir, "data"), 0o755)); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(taskDir, "bootstrap"), filepath.Join(dir, "task", "bootstrap"))
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	err = os.Chmod(dir, 0o755)
	if uid != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
		err = errors.Join(err, os.Chown(filepath.Join(dir, "data"), uid, uid))
	}
	stdin, stdinErr := cmd.StdinPipe()
	stdout, stdoutErr := cmd.StdoutPipe()
	if err := errors.Join(err, stdinErr, stdoutErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, stdin: stdin, dir: dir, lines: map[string][]string{}}
	scanner := bufio.NewScanner(stdout)
	for scanner.Scan() {
		key, value, _ := strings.Cut(scanner.Text(), " ")
		c.lines[key] = append(c.lines[key], value)
		if key == "pids" || key == "error" {
			break
		}
	}
	if c.lines["error"] != nil || c.lines["pids"] == nil {
		t.Fatalf("child: %v", c.lines)
	}
	return c
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (c *child) pids(t *testing.T) []int {
	t.Helper()
	var pids []int
	for _, field := range strings.Fields(c.lines["pids"][0]) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func gone(pids []int) bool {
	for _, pid := range pids {
		if unix.Kill(pid, 0) == nil {
			return false
		}
	}
	return true
}

// users are those that the tests run as: this one and, as root, nobody too.
func users() map[string]int {
	m := map[string]int{"self": os.Getuid()}
	if os.Getuid() == 0 {
		m["nobody"] = 65534
	}
	return m
}

func TestKilledProgramLeavesNoProcess(t *testing.T) {
	for name, uid := range users() {
		t.Run(name, func(t *testing.T) {
			c := startChild(t, uid)
			pids := c.pids(t)
			if len(pids) < 2 {
				t.Fatalf("pids = %v", pids)
			}
			if err := c.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = c.cmd.Wait() // killed
			await(t, "no process left", func() bool { return gone(pids) })
			h, err := Open(t.Context(), filepath.Join(c.dir, "data"))
			if err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(h.dir)
			if err != nil || len(entries) != 0 {
				t.Errorf("left over: %v, %v", entries, err)
			}
			for _, dir := range h.groups.dirs() {
				entries, err := filepath.Glob(filepath.Join(filepath.Dir(dir), cgroupPrefix+strconv.Itoa(c.cmd.Process.Pid)+"-*"))
				if err != nil || len(entries) != 0 {
					t.Errorf("left over: %v, %v", entries, err)
				}
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUnprivileged(t *testing.T) {
	for name, uid := range users() {
		t.Run(name, func(t *testing.T) {
			c := startChild(t, uid)
			want := `"993\ntouch: cannot touch '/x': Read-only file system\ntouch: cannot touch '/usr/x': Read-only file system\nx"`
			if got := c.lines["answer"][0]; got != want {
				t.Errorf("answer = %s\nwant     %s", got, want)
			}
			if memory, err := strconv.Atoi(c.lines["memory"][0]); err != nil || memory < 1 {
				t.Errorf("memory = %v", c.lines["memory"])
			}
			if err := c.stdin.Close(); err != nil {
				t.Fatal(err)
			}
			if err := c.cmd.Wait(); err != nil {
				t.Error(err)
			}
			if !gone(c.pids(t)) {
				t.Error("processes are left")
			}
		})
	}
}

// Without namespaces of any kind, the error says what is needed.
func TestForbidden(t *testing.T) {
	err := explain(&os.PathError{Op: "fork/exec", Path: "/proc/self/exe", Err: syscall.EPERM})
	if !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), "user namespaces") {
		t.Errorf("error = %v", err)
	}
	if err := explain(io.EOF); errors.Is(err, ErrForbidden) {
		t.Errorf("error = %v", err)
	}
}
