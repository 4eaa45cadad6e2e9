package loop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/faas-lambda/faas-lambda/bootstrap/lambdatest"
	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/watchdog/watchdogtest"
)

var programs struct {
	dir string

	mu    sync.Mutex // guards built
	built map[string]string
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "loop-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programs.dir, programs.built = dir, map[string]string{}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// built returns the program of package pkg, built once.
func built(tb testing.TB, pkg string) string {
	tb.Helper()
	programs.mu.Lock()
	defer programs.mu.Unlock()
	if programs.built[pkg] == "" {
		path, err := lambdatest.Build(programs.dir, pkg)
		if err != nil {
			tb.Fatal(err)
		}
		programs.built[pkg] = path
	}
	return programs.built[pkg]
}

// taskRoot writes a package's launch spec with these variables.
func taskRoot(tb testing.TB, watchdog launch.Watchdog, env ...string) string {
	tb.Helper()
	root := tb.TempDir()
	spec, err := launch.Spec{
		Version: launch.Version, Root: root, Watchdog: watchdog, Dir: root, Env: append([]string{"PATH=/usr/bin:/bin"}, env...),
		Command: []string{"./fwatchdog"},
	}.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(root, launch.File)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, spec, 0o644); err != nil {
		tb.Fatal(err)
	}
	return root
}

// startHTTP starts bootstrap with the test function in http mode.
func startHTTP(tb testing.TB, env ...string) *runtimeProcess {
	tb.Helper()
	return startHTTPWith(tb, nil, env...)
}

// startHTTPWith does it with more of what Lambda itself sets.
func startHTTPWith(tb testing.TB, lambda []string, env ...string) *runtimeProcess {
	tb.Helper()
	return startHTTPLogged(tb, os.Stderr, lambda, env...)
}

// startHTTPLogged is startHTTPWith for a bootstrap that logs to stderr.
func startHTTPLogged(tb testing.TB, stderr *os.File, lambda []string, env ...string) *runtimeProcess {
	tb.Helper()
	addr := watchdogtest.FreeAddr(tb)
	env = append([]string{"mode=http", "fprocess=" + built(tb, "./testdata/function"), "upstream_url=http://" + addr, "LISTEN=" + addr}, env...)
	lambda = append(lambda, "LAMBDA_TASK_ROOT="+taskRoot(tb, launch.OfWatchdog, env...))
	return startLogged(tb, stderr, built(tb, ".."), lambda...)
}

func command(tb testing.TB, program string, env ...string) *exec.Cmd {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), program)
	cmd.Env = env
	return cmd
}
