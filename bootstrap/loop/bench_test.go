package loop_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/lambdatest"
)

// runtime is a bootstrap under measurement, with its own Runtime API.
type runtimeProcess struct {
	api *lambdatest.API
	cmd *exec.Cmd
}

func startProcess(tb testing.TB, program string, env ...string) *runtimeProcess {
	tb.Helper()
	return startLogged(tb, os.Stderr, program, env...)
}

// startLogged starts a bootstrap that logs to stderr and waits until it asks for
// its first invocation.
func startLogged(tb testing.TB, stderr *os.File, program string, env ...string) *runtimeProcess {
	tb.Helper()
	api, err := lambdatest.Start()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "AWS_LAMBDA_RUNTIME_API=" + api.Addr()}, env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, stderr
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := api.Close(); err != nil {
			tb.Error(err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	<-api.Ready
	return &runtimeProcess{api, cmd}
}

// peak returns the process's largest resident set in MB.
func (p *runtimeProcess) peak(tb testing.TB) float64 {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				tb.Fatal(err)
			}
			return float64(kb) / 1024
		}
	}
	tb.Fatal("no VmHWM")
	return 0
}

// BenchmarkInvoke measures warm invocations of bootstrap in http mode beside
// those of AWS's own Go runtime with no function behind it, in turns.
func BenchmarkInvoke(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10, 5 << 20} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			floor := startProcess(b, built(b, "./testdata/floor"), "_HANDLER=x")
			ours := startHTTP(b)
			event := append(append([]byte{'"'}, bytes.Repeat([]byte("a"), size-2)...), '"')
			var times [2][]time.Duration
			measure := func(i int, p *runtimeProcess) {
				began := time.Now()
				r, err := p.api.Invoke(b.Context(), event)
				if err != nil || len(r.Body) != len(event) {
					b.Fatalf("%v: %d bytes, error %s %s", err, len(r.Body), r.ErrorType, r.ErrorBody)
				}
				times[i] = append(times[i], time.Since(began))
			}
			for b.Loop() {
				for range 50 {
					measure(0, floor)
				}
				for range 50 {
					measure(1, ours)
				}
			}
			for i, name := range []string{"floor", "ours"} {
				slices.Sort(times[i])
				b.ReportMetric(float64(times[i][len(times[i])/2].Nanoseconds())/1e3, name+"-p50-µs")
			}
			b.ReportMetric(float64(times[1][len(times[1])/2])/float64(times[0][len(times[0])/2]), "ratio")
			b.ReportMetric(floor.peak(b), "floor-MB")
			b.ReportMetric(ours.peak(b), "ours-MB")
		})
	}
}
