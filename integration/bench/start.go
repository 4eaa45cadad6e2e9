package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/lambdatest"
	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/provider/bootstraps"
)

// starts is how often each program is started, in turns.
const starts = 31

// starting compares bootstrap with a Lambda function written with
// aws-lambda-go and nothing in it: size, and time from spawn to the first
// request for an invocation. bootstrap starts in a mode that forks for each
// request, so that the start of the function's own process is not in it.
func starting(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "faas-lambda-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := fixture.Root()
	if err != nil {
		return err
	}
	floor, err := fixture.Build(ctx, filepath.Join(root, "bootstrap", "loop"), "./testdata/floor", runtime.GOARCH)
	if err != nil {
		return err
	}
	ours, err := bootstraps.Binary(runtime.GOARCH)
	if err != nil {
		return err
	}
	spec, err := json.Marshal(launch.Spec{Version: launch.Version, Image: "sha256:bench", Root: "/", Watchdog: launch.Classic, Command: []string{"fwatchdog"},
		Dir: "/", Env: []string{"fprocess=cat"}})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(launch.File)), 0o700); err != nil {
		return err
	}
	programs := map[string]string{"floor": filepath.Join(dir, "floor"), "ours": filepath.Join(dir, "bootstrap")}
	for path, data := range map[string][]byte{programs["floor"]: floor, programs["ours"]: ours, filepath.Join(dir, launch.File): spec} {
		if err := os.WriteFile(path, data, 0o700); err != nil {
			return err
		}
	}
	times := map[string][]time.Duration{}
	for range starts {
		for name, program := range programs {
			took, err := spawn(ctx, program, dir)
			if err != nil {
				return fmt.Errorf("start %s: %w", name, err)
			}
			times[name] = append(times[name], took)
		}
	}
	fmt.Fprintf(out, "\nStart: spawn to the first /next, median of %d in turns, and the size of the program\n", starts)
	fmt.Fprintf(out, "%-42s %9s %9s\n", "", "start", "size")
	for _, p := range []struct {
		name, title string
		size        int
	}{{"ours", "bootstrap", len(ours)}, {"floor", "aws-lambda-go, no function behind it", len(floor)}} {
		slices.Sort(times[p.name])
		fmt.Fprintf(out, "%-42s %6.2f ms %6.2f MB\n", p.title, float64(median(times[p.name]).Microseconds())/1e3, float64(p.size)/1e6)
	}
	fmt.Fprintf(out, "%-42s %9.2f %9.2f\n", "ours / theirs", ratio(median(times["ours"]), median(times["floor"])), float64(len(ours))/float64(len(floor)))
	return nil
}

func median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

// spawn starts a program against a Runtime API of its own and returns how long
// it took to ask for work.
func spawn(ctx context.Context, program, taskRoot string) (time.Duration, error) {
	api, err := lambdatest.Start()
	if err != nil {
		return 0, err
	}
	defer api.Close()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "AWS_LAMBDA_RUNTIME_API=" + api.Addr(), "LAMBDA_TASK_ROOT=" + taskRoot, "_HANDLER=bootstrap"}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	select {
	case <-api.Ready:
	case <-time.After(10 * time.Second):
		err = fmt.Errorf("no request for work in 10 s")
	}
	took := time.Since(begin)
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // killed
	return took, err
}
