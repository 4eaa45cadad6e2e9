package integration

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// TestFunctionsSurviveARestart stops and kills `faas-lambda up` and finds the
// function again each time, with nothing running in between.
func TestFunctionsSurviveARestart(t *testing.T) {
	ref := push(t, "functions/web:1", middleware(t, "web"))
	data := t.TempDir()
	for i, end := range []string{"Ctrl-C", "kill -9", "the end"} {
		log := &lockedBuffer{}
		up, err := fixture.StartUp(t.Context(), filepath.Join(programs, "faas-lambda"), data, log)
		if err != nil {
			t.Fatalf("start %d: %v\n%s", i, err, log)
		}
		if i == 0 {
			answer, err := up.Deploy(t.Context(), types.FunctionDeployment{Service: "web", Image: ref})
			if err != nil || answer.Status >= 300 {
				t.Fatalf("deploy answered %d %s, %v", answer.Status, answer.Body, err)
			}
		}
		answer, err := up.Do(t.Context(), "GET", "/function/web/status/201", nil)
		if err != nil || answer.Status != 201 {
			t.Errorf("before %s: %d %s, %v\n%s", end, answer.Status, answer.Body, err, log)
		}
		group := childrenOf(t, up.PID())
		if end == "kill -9" {
			err = up.Kill()
		} else {
			err = up.Stop()
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", end, err, log)
		}
		waitUntilGone(t, group)
	}
}

// child is a process below `faas-lambda up`, told from a later process with the
// same number by its start time.
type child struct{ pid, started string }

// childrenOf lists the processes below pid.
func childrenOf(t *testing.T, pid int) []child {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parents, started := map[string]string{}, map[string]string{}
	for _, stat := range stats {
		data, err := os.ReadFile(stat)
		if err != nil {
			continue // it ended
		}
		process := strings.Split(stat, "/")[2]
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		parents[process], started[process] = fields[1], fields[19]
	}
	var below []child
	for process := range parents {
		for at := process; at != ""; at = parents[at] {
			if at == fmt.Sprint(pid) && process != at {
				below = append(below, child{process, started[process]})
			}
		}
	}
	if len(below) < 2 {
		t.Errorf("found %d processes below %d: the sandbox and the function should be there", len(below), pid)
	}
	return below
}

// waitUntilGone waits for every child's end, by its pidfd; one that lives on
// fails the test when the test's own time is over.
func waitUntilGone(t *testing.T, children []child) {
	t.Helper()
	for _, c := range children {
		data, err := os.ReadFile("/proc/" + c.pid + "/stat")
		if err != nil {
			continue
		}
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if fields[19] == c.started && fields[0] != "Z" {
			if out, err := exec.CommandContext(t.Context(), "timeout", "120", "tail", "--pid="+c.pid, "-f", "/dev/null").CombinedOutput(); err != nil {
				t.Errorf("process %s outlived faas-lambda: %v %s", c.pid, err, out)
			}
		}
	}
}

func TestUpRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		env  string
		says string
	}{
		"a port that is taken":          {[]string{"up", "--port", port, "--data-dir", t.TempDir()}, "", "address already in use"},
		"a port that is none":           {[]string{"up", "--port", "70000", "--data-dir", t.TempDir()}, "", "70000"},
		"a data directory that is none": {[]string{"up", "--port", "0", "--data-dir", file}, "", file},
		"an unknown command":            {[]string{"fly"}, "", "fly"},
		"a bad variable":                {[]string{"serve"}, "read_timeout=soon", "read_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "faas-lambda"), c.args...)
			cmd.Env = append(os.Environ(), c.env)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Errorf("exit status 0\n%s", out)
			}
			if !strings.Contains(string(out), c.says) || strings.Contains(string(out), "goroutine ") {
				t.Errorf("the error does not say %q plainly:\n%s", c.says, out)
			}
		})
	}
}

func TestInterruptEndsRunningInvocations(t *testing.T) {
	log := &lockedBuffer{}
	up, err := fixture.StartUp(t.Context(), filepath.Join(programs, "faas-lambda"), t.TempDir(), log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	ref := push(t, "functions/web:1", middleware(t, "web"))
	if answer, err := up.Deploy(t.Context(), types.FunctionDeployment{Service: "web", Image: ref}); err != nil || answer.Status >= 300 {
		t.Fatalf("deploy answered %d %s, %v", answer.Status, answer.Body, err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", up.URL+"/function/web/stream?n=100000", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	children := childrenOf(t, up.PID())
	if err := up.Interrupt(); err != nil {
		t.Fatal(err)
	}
	if err := up.Interrupt(); err != nil && !strings.Contains(err.Error(), "finished") {
		t.Fatal(err)
	}
	_ = up.Stop() // a second signal may end it with a status of its own
	waitUntilGone(t, children)
	if err := syscall.Kill(up.PID(), 0); err == nil {
		t.Error("faas-lambda up still runs")
	}
}
