package loop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/lambdatest"
)

// soakInvocations is how many the soak makes in all.
const soakInvocations = 20_000

// TestSoak mixes everything that can happen to an invocation, four at a time: the
// function is killed, answers break off, are too large, come late, bodies are
// not read. Each invocation must get its own answer once, and nothing of it all
// may be left.
func TestSoak(t *testing.T) {
	p, dump := warm(t)
	_, fresh := warm(t) // what one holds that has done nothing else
	// Four at a time keep more connections than one: each worker may have one
	// more to the function, and two to the API.
	const more = 3 * 4
	before := resources(t, p)
	s := &soak{p: p}
	began := time.Now()
	var workers sync.WaitGroup
	for seed := range 4 {
		workers.Go(func() { s.run(t, rand.New(rand.NewPCG(uint64(seed), 7)), soakInvocations/4) })
	}
	workers.Wait()
	if twice := p.api.Twice(); len(twice) > 0 {
		t.Errorf("answered twice, or never asked: %v", twice)
	}
	after := before
	settled := p.settles(func() bool { after = resources(t, p); return after.files <= before.files+more && after.children == 1 })
	if !settled {
		t.Errorf("left over: %+v, before %+v", after, before)
	}
	if after.rss > 40<<10 {
		t.Errorf("resident set of %d KB", after.rss)
	}
	t.Logf("%d invocations in %s: %d answered as asked, %d met the end of the function's process, %d ended it, %d broke off, %d too large, %d late",
		soakInvocations, time.Since(began).Round(time.Second), s.good.Load(), s.hit.Load(), s.killed.Load(), s.broken.Load(), s.large.Load(), s.late.Load())
	t.Logf("lost %d, answered twice %d; before %+v, after %+v", soakInvocations-s.answered(), len(p.api.Twice()), before, after)
	idle, soaked := fresh(), dump()
	if soaked > idle+more {
		t.Errorf("%d goroutines are left, a fresh one has %d", soaked, idle)
	}
	t.Logf("goroutines: %d, in a fresh one %d", soaked, idle)
}

// warm starts a bootstrap with four workers whose buffers and threads are there.
// goroutines ends it and returns how many it had.
func warm(t *testing.T) (p *runtimeProcess, goroutines func() int) {
	t.Helper()
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	p = startHTTPLogged(t, stderr, []string{"AWS_LAMBDA_MAX_CONCURRENCY=4"})
	p.api.TooLarge = 6 << 20
	for range 200 {
		invoke(t, p, []byte(`"warm"`))
	}
	return p, func() int {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil { // Go's runtime prints every goroutine and ends
			t.Fatal(err)
		}
		_ = p.cmd.Wait() // it ends with exit status 2
		log, err := os.ReadFile(stderr.Name())
		if err := errors.Join(err, stderr.Close()); err != nil {
			t.Fatal(err)
		}
		n := len(goroutine.FindAll(log, -1))
		if n == 0 {
			t.Fatalf("no goroutines in %s", log)
		}
		return n
	}
}

// goroutine is the head of one in the dump of Go's runtime; 0 is the runtime's own.
var goroutine = regexp.MustCompile(`(?m)^goroutine [1-9]\d* `)

type soak struct {
	p                                      *runtimeProcess
	good, hit, killed, broken, large, late atomic.Int64
}

// answered is how many invocations were, in whichever way.
func (s *soak) answered() int64 {
	return s.good.Load() + s.hit.Load() + s.killed.Load() + s.broken.Load() + s.large.Load() + s.late.Load()
}

func (s *soak) run(t *testing.T, rnd *rand.Rand, n int) {
	for i := range n {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		ok := s.one(ctx, t, rnd, i)
		cancel()
		if !ok {
			return
		}
	}
}

// one makes an invocation of a kind that rnd picks, and checks its answer.
func (s *soak) one(ctx context.Context, t *testing.T, rnd *rand.Rand, i int) bool {
	body := bytes.Repeat(fmt.Appendf(nil, "%d-%d;", rnd.Uint64(), i), 1+rnd.IntN(50))
	header := map[string]string{"content-type": "text/plain"}
	event := func(path string) []byte { return httpEvent(http.MethodPost, path, "", header, body, rnd.IntN(2) == 0) }
	var r lambdatest.Result
	var err error
	kind := rnd.IntN(1000)
	counted := &s.good
	switch {
	case kind < 5:
		r, err = s.p.api.Invoke(ctx, event("/exit"))
		counted = &s.killed
	case kind < 30:
		r, err = s.p.api.Invoke(ctx, event("/half"))
		counted = &s.broken
	case kind < 33:
		r, err = s.p.api.Invoke(ctx, event("/large"))
		counted = &s.large
	case kind < 34:
		r, err = s.p.api.InvokeWithin(ctx, 2*time.Second, event("/sleep"))
		counted = &s.late
	case kind < 54:
		body = bytes.Repeat(body, 1+(1<<20)/len(body))
		r, err = s.p.api.Invoke(ctx, event("/refuse"))
	case kind < 150:
		raw := fmt.Appendf(nil, `{"n":%q}`, body)
		r, err = s.p.api.Invoke(ctx, raw)
		if err == nil && r.ErrorType == "" && !bytes.Equal(r.Body, raw) {
			t.Errorf("a raw event got another's answer: %.100q", r.Body)
		}
	default:
		if kind < 250 {
			body = bytes.Repeat(body, 1+rnd.IntN(300))
		}
		r, err = s.p.api.Invoke(ctx, event("/"))
		if err == nil && r.ErrorType == "" && !echoed(r, body) && !internal(r) {
			t.Errorf("an HTTP event got another's answer: %.300q", r.Body)
		}
	}
	if err != nil {
		t.Errorf("invocation %d of kind %d was lost: %v", i, kind, err)
		return false
	}
	if counted == &s.good && (internal(r) || r.ErrorType != "") {
		counted = &s.hit
		if r.ErrorType != "" && r.ErrorType != "Function.ProcessExited" && r.ErrorType != "Function.RequestFailed" {
			t.Errorf("kind %d: %s %s", kind, r.ErrorType, r.ErrorBody)
		}
	}
	counted.Add(1)
	return true
}

// echoed reports whether the answer, streamed or whole, is body.
func echoed(r lambdatest.Result, body []byte) bool {
	if r.Streamed {
		return bytes.HasSuffix(r.Body, append(make([]byte, 8), body...))
	}
	return bytes.Contains(r.Body, append([]byte(`"body":"`), body...))
}

// internal reports whether the watchdog answered, not the function.
func internal(r lambdatest.Result) bool {
	return bytes.Contains(r.Body, []byte(`"x-openfaas-internal"`))
}

// left is what a bootstrap holds.
type left struct{ files, threads, children, rss int }

func resources(t *testing.T, p *runtimeProcess) left {
	t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid))
	files, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := os.ReadDir(filepath.Join(dir, "task"))
	if err != nil {
		t.Fatal(err)
	}
	l := left{files: len(files), threads: len(tasks)}
	for _, task := range tasks {
		children, err := os.ReadFile(filepath.Join(dir, "task", task.Name(), "children"))
		if err != nil {
			t.Fatal(err)
		}
		l.children += len(strings.Fields(string(children)))
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			l.rss, _ = strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return l
}

// settles waits for what has no event of its own.
func (p *runtimeProcess) settles(done func() bool) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit.C:
			return false
		}
	}
	return true
}
