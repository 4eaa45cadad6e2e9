package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// measureArgument makes the program start a command and report what it used. A
// process of its own does so because Linux counts the memory of whoever starts
// a program into the program's largest resident set.
const measureArgument = "-measure"

// usage is what a command used.
type usage struct {
	Elapsed, CPU time.Duration
	Peak         int64 // largest resident set, bytes
}

// runMeasured runs a command in dir with env added to the environment.
func runMeasured(ctx context.Context, dir string, env, args []string) (usage, error) {
	self, err := os.Executable()
	if err != nil {
		return usage{}, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{measureArgument}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	var u usage
	return u, json.Unmarshal(out, &u)
}

// measureChild runs the command and prints its usage. It returns the exit
// status.
func measureChild(args []string) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	begin := time.Now()
	err := cmd.Run()
	u := usage{Elapsed: time.Since(begin)}
	if err == nil {
		u.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			u.Peak = r.Maxrss << 10 // kilobytes on Linux, getrusage(2)
		}
		err = json.NewEncoder(os.Stdout).Encode(u)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
