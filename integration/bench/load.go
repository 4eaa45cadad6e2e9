package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// loadBodies are the sizes of bodies, each as likely as another one; loadLarge is
// the rare one, as one of loadRarely.
var loadBodies = []int{0, 100, 1 << 10, 10 << 10, 100 << 10}

const (
	loadLarge  = 2 << 20
	loadRarely = 200
	// loadSandboxes is how many sandboxes there may be at a time.
	loadSandboxes = 50
	// memoryGrows is how much larger the program may be at the end than after a
	// third of the time: its heap breathes.
	memoryGrows = 1.3
)

// tally counts what clients saw.
type tally struct {
	mu    sync.Mutex // guards the rest
	codes map[int]int
	errs  map[string]int
	took  []time.Duration
}

func (t *tally) add(code int, took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		text := err.Error()
		t.errs[text[max(0, len(text)-120):]]++
		return
	}
	t.codes[code]++
	if code == http.StatusOK {
		t.took = append(t.took, took)
	}
}

// loading has many clients invoke a function at a time, each as fast as it gets
// answers, with bodies of all sizes. It is an error when anything but 200 and 429
// comes, when an answer is not its request's body, or when the program's memory
// grows.
func loading(ctx context.Context, bin string, clients int, lasting time.Duration, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "faas-lambda-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// More sandboxes than that at a time are throttled, which clients have to be
	// able to take.
	up, err := startEcho(ctx, bin, dir, map[string]string{"com.openfaas.scale.max": strconv.Itoa(loadSandboxes)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.Stop()) }()
	fmt.Fprintf(out, "Load: %d clients at a time for %s\n", clients, lasting)
	seen := &tally{codes: map[int]int{}, errs: map[string]int{}}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	end := time.Now().Add(lasting)
	var wait sync.WaitGroup
	for i := range clients {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1)) //nolint:gosec // sizes of bodies
			for time.Now().Before(end) && ctx.Err() == nil {
				seen.add(loadOne(ctx, transport, up.URL+"/function/echo/echo", random))
			}
		})
	}
	memory := watchMemory(up.PID(), lasting, out)
	wait.Wait()
	return seen.report(lasting, memory, out)
}

// loadOne makes one invocation. A client that is throttled waits as it is told.
func loadOne(ctx context.Context, transport http.RoundTripper, url string, random *rand.Rand) (int, time.Duration, error) {
	size := loadBodies[random.IntN(len(loadBodies))]
	if random.IntN(loadRarely) == 0 {
		size = loadLarge
	}
	body := bytes.Repeat([]byte{byte('a' + random.IntN(26))}, size)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	took := time.Since(begin)
	switch {
	case err != nil:
		return 0, 0, err
	case res.StatusCode == http.StatusOK && !bytes.Equal(got, body):
		return 0, 0, fmt.Errorf("answer of %d bytes to a body of %d", len(got), len(body))
	case res.StatusCode == http.StatusTooManyRequests:
		seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
		if err != nil {
			return 0, 0, fmt.Errorf("429 without Retry-After: %w", err)
		}
		timer := time.NewTimer(time.Duration(seconds) * time.Second)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	case res.StatusCode != http.StatusOK:
		return 0, 0, fmt.Errorf("answered %d: %s", res.StatusCode, got[:min(len(got), 100)])
	}
	return res.StatusCode, took, nil
}

// watchMemory samples the resident set of a process.
func watchMemory(pid int, lasting time.Duration, out io.Writer) []int64 {
	const samples = 12
	tick := time.NewTicker(lasting / samples)
	defer tick.Stop()
	var sizes []int64
	for range samples {
		<-tick.C
		sizes = append(sizes, residentSet(pid))
		fmt.Fprintf(out, "  memory of faas-lambda up: %d MB\n", sizes[len(sizes)-1]>>20)
	}
	return sizes
}

// residentSet reads VmRSS (proc(5), in kB); 0 for a process that is gone.
func residentSet(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

func (t *tally) report(lasting time.Duration, memory []int64, out io.Writer) error {
	slices.Sort(t.took)
	if len(t.took) == 0 {
		return fmt.Errorf("no invocation succeeded: %v", t.errs)
	}
	fmt.Fprintf(out, "  200: %d (%.0f a second), 429: %d; p50 %.1f ms, p99 %.1f ms\n",
		t.codes[http.StatusOK], float64(t.codes[http.StatusOK])/lasting.Seconds(), t.codes[http.StatusTooManyRequests], ms(median(t.took)), ms(t.took[len(t.took)*99/100]))
	var problems []error
	for text, n := range t.errs {
		problems = append(problems, fmt.Errorf("%d times: %s", n, text))
	}
	third, last := slices.Max(memory[:len(memory)/3]), memory[len(memory)-1]
	fmt.Fprintf(out, "  memory at the end: %.2f of the most in the first third\n", float64(last)/float64(third))
	if float64(last) > memoryGrows*float64(third) {
		problems = append(problems, fmt.Errorf("memory grew from %d to %d MB", third>>20, last>>20))
	}
	return errors.Join(problems...)
}
