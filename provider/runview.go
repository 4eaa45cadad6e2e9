package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// runView shows a developer what a function does: its own lines as they are, and
// for each invocation how long it took in place of Lambda's START, END and
// REPORT.
type runView struct {
	mu    sync.Mutex // guards what is below, and lines from each other
	to    io.Writer
	cold  []float64 // ms of each init
	first []float64 // ms of each invocation after an init
	warm  []float64 // ms of each other invocation
}

func newRunView(to io.Writer) *runView { return &runView{to: to} }

// reportLine is how Lambda words the end of an invocation
// (docs.aws.amazon.com/lambda, "Viewing CloudWatch logs for Lambda functions").
var reportLine = regexp.MustCompile(`^REPORT RequestId: \S+\tDuration: ([0-9.]+) ms\t.*Memory Size: (\d+) MB\tMax Memory Used: (\d+) MB\t(?:.*Init Duration: ([0-9.]+) ms\t)?(?:.*Status: (\w+)\t)?`)

// Write takes one line of the emulator's output: the function's name, ": ", and
// what it printed.
func (v *runView) Write(p []byte) (int, error) {
	_, line, ok := bytes.Cut(p, []byte(": "))
	if !ok {
		line = p
	}
	if bytes.HasPrefix(line, []byte("START RequestId: ")) || bytes.HasPrefix(line, []byte("END RequestId: ")) || bytes.HasPrefix(line, []byte("INIT_START ")) {
		return len(p), nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if m := reportLine.FindSubmatch(line); m != nil {
		v.report(m)
		return len(p), nil
	}
	_, err := v.to.Write(line)
	return len(p), err
}

// report shows and counts one invocation. The caller holds v.mu.
func (v *runView) report(m [][]byte) {
	took := number(m[1])
	say := fmt.Sprintf("warm, %.1f ms", took)
	if len(m[4]) > 0 {
		say = fmt.Sprintf("cold, init %.1f ms and %.1f ms", number(m[4]), took)
		v.cold, v.first = append(v.cold, number(m[4])), append(v.first, took)
	} else {
		v.warm = append(v.warm, took)
	}
	if len(m[5]) > 0 {
		say += ", " + string(m[5])
	}
	fmt.Fprintf(v.to, "  lambda: %s, %s of %s MB\n", say, m[3], m[2])
}

func number(b []byte) float64 {
	n, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return 0 // the pattern lets nothing else through
	}
	return n
}

// summary prints what all invocations took.
func (v *runView) summary() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.cold) > 0 {
		fmt.Fprintf(v.to, "cold: %d, init %.1f ms and invocation %.1f ms in the median\n", len(v.cold), median(v.cold), median(v.first))
	}
	if len(v.warm) > 0 {
		fmt.Fprintf(v.to, "warm: %d, invocation %.1f ms in the median\n", len(v.warm), median(v.warm))
	}
}

func median[T cmp.Ordered](list []T) T {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// watch serves a function, shows each request, and gives what is sent to the
// path of Lambda's own Invoke to lambda.
func (v *runView) watch(function http.Handler, lambda lambdaClient) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == invokePath("function") {
			lambda.ServeHTTP(w, r)
			return
		}
		begin, path := time.Now(), r.URL.RequestURI()
		counted := &countedWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() { // also when the answer is cut short
			v.mu.Lock()
			defer v.mu.Unlock()
			fmt.Fprintf(v.to, "%s %s: %d, %d bytes, %.1f ms\n", r.Method, path, counted.status, counted.bytes, float64(time.Since(begin))/float64(time.Millisecond))
		}()
		// Clients leave when they have all of an answer, which is before Lambda
		// says that the invocation is over; its sandbox is free for the next one
		// only then.
		function.ServeHTTP(counted, r.WithContext(context.WithoutCancel(r.Context())))
	})
}

// countedWriter remembers what an answer was.
type countedWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *countedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *countedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
