package emulator

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

const childVariable = "EMULATOR_TEST_CHILD"

// runChild makes this test program an emulator in the directory that the environment names.
func runChild() (int, bool) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		return 0, false
	}
	s, err := New(Options{DataDir: dir})
	if err != nil {
		fmt.Println(err)
		return 1, true
	}
	fmt.Println(httptest.NewServer(s).URL)
	_, err = io.Copy(io.Discard, os.Stdin)
	if err := errors.Join(err, s.Close()); err != nil {
		fmt.Println(err)
		return 1, true
	}
	return 0, true
}

// Killed with a sandbox alive, the program leaves no process, and what was deployed runs again.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 2 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), childVariable+"="+dir)
		stdin, err := cmd.StdinPipe()
		stdout, outErr := cmd.StdoutPipe()
		if err := errors.Join(err, outErr, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		url, err := bufio.NewReader(stdout).ReadString('\n')
		if err != nil || !strings.HasPrefix(url, "http") {
			t.Fatalf("child: %q, %v", url, err)
		}
		h := lambdatest.New(t, strings.TrimSpace(url))
		if round == 0 {
			h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.Code = &types.FunctionCode{ZipFile: lambdatest.Packed()} }) // the child has not built it
		}
		if got := string(h.Invoke("f", `{"Do":"leave"}`).Payload); got != "left" {
			t.Errorf("answer = %s", got)
		}
		sandboxes := sandboxesOf(t, cmd.Process.Pid)
		if len(sandboxes) != 1 {
			t.Errorf("sandboxes = %v", sandboxes)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		if err := stdin.Close(); err != nil {
			t.Log(err)
		}
		lambdatest.WaitFor(t, "no process left", func() bool {
			for _, pid := range sandboxes {
				if syscall.Kill(pid, 0) == nil {
					return false
				}
			}
			return true
		})
	}
}

// sandboxesOf reads the parent of every process: /proc/PID/task/TID/children may miss some while processes come and go (proc(5)).
func sandboxesOf(t *testing.T, parent int) []int {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		text := string(data)
		var pid, parentOfIt int
		var state string
		if _, err := fmt.Sscan(text, &pid); err != nil {
			continue
		}
		_, err = fmt.Sscan(text[strings.LastIndex(text, ")")+1:], &state, &parentOfIt)
		if err == nil && parentOfIt == parent && state != "Z" {
			pids = append(pids, pid)
		}
	}
	return pids
}
