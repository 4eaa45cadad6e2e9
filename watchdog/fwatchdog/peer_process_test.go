package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/watchdog/watchdogtest"
)

// programs is what the black-box cases run: ours, built once, and the function.
var programs struct{ ours, function string }

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "fwatchdog-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programs.ours, programs.function = filepath.Join(dir, "fwatchdog"), filepath.Join(dir, "fn")
	for out, pkg := range map[string]string{programs.ours: ".", programs.function: "./testdata/fn"} {
		cmd := exec.Command("go", "build", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", pkg, err, text)
			os.Exit(1)
		}
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// process is a running watchdog.
type process struct {
	t        *testing.T
	addr     string
	upstream string // where its function listens, in http mode
	dir      string
	cmd      *exec.Cmd
	exited   chan struct{}
	theirs   bool

	mu  sync.Mutex // guards log
	log bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) logged(text string) bool { return strings.Contains(p.said(), text) }

// said is all that the watchdog has logged.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// peer is a watchdog program to test: ours or one of the real ones.
type peer struct {
	of, classic []string // commands
	theirs      bool
}

// start runs a watchdog of the kind with env and the files of script in its
// directory. $FN and $UP in env stand for the function and its address.
func (b peer) start(t *testing.T, classic bool, env ...string) *process {
	t.Helper()
	p := &process{t: t, addr: watchdogtest.FreeAddr(t), upstream: watchdogtest.FreeAddr(t), dir: t.TempDir(), exited: make(chan struct{}), theirs: b.theirs}
	command := b.of
	if classic {
		command = b.classic
	}
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Dir = p.dir
	_, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		t.Fatal(err)
	}
	_, side, err := net.SplitHostPort(watchdogtest.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Env = []string{"PATH=/usr/bin:/bin", "TMPDIR=" + p.dir, "port=" + port, "metrics_port=" + side, "healthcheck_interval=100ms"}
	for _, kv := range env {
		p.cmd.Env = append(p.cmd.Env, strings.NewReplacer("$FN", programs.function, "$UP", p.upstream).Replace(kv))
	}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.WaitDelay = time.Second
	if b.theirs {
		p.until("the metrics port of the real watchdogs is free", func() bool {
			l, err := net.Listen("tcp", ":8081")
			return err == nil && l.Close() == nil
		})
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.exited) }() // its status is looked at where it matters
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(os.Interrupt)
		select {
		case <-p.exited:
		case <-time.After(patience):
			_ = p.cmd.Process.Kill()
			<-p.exited
		}
		if t.Failed() {
			t.Logf("log of %s:\n%.4000s", command, p.said())
		}
	})
	return p
}

// ready waits until the watchdog and its function take requests.
func (p *process) ready() *process {
	p.t.Helper()
	p.until("it listens", func() bool { return p.listens(p.addr) })
	if slices.Contains(p.cmd.Env, "mode=http") {
		p.until("its function listens", func() bool { return p.listens(p.upstream) })
	}
	return p
}

func (p *process) listens(addr string) bool {
	select {
	case <-p.exited:
		p.t.Fatalf("it ended: %s\n%s", p.cmd.ProcessState, p.said())
	default:
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// patience is how long what must happen may take on a machine that is busy.
const patience = time.Minute

// until waits for what has no event of its own.
func (p *process) until(what string, happened func() bool) {
	p.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-limit.C:
			p.t.Fatalf("waited in vain until %s\n%s", what, p.said())
		}
	}
}

// gone waits for something to stop and says whether it did: of ours it must, of
// the real watchdogs it is known that some things do not.
func (p *process) gone(happened func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(p.wait(time.Second))
	defer limit.Stop()
	for {
		if happened() {
			return true
		}
		select {
		case <-tick.C:
		case <-limit.C:
			return false
		}
	}
}

// wait is the time for what the real watchdogs may fail to do, which is short for
// them alone.
func (p *process) wait(theirs time.Duration) time.Duration {
	if p.theirs {
		return theirs
	}
	return patience
}

// answer is what a case looks at.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

func (a answer) String() string {
	return fmt.Sprintf("%d %q %.120q", a.status, a.header.Get("Content-Type"), a.body)
}

// has says of headers whether they are there.
func (a answer) has(names ...string) string {
	text := a.String()
	for _, name := range names {
		if v := a.header.Get(name); v == "" {
			text += " no " + name
		} else if name == "X-Duration-Seconds" {
			text += " " + name
		} else {
			text += " " + name + "=" + v
		}
	}
	return text
}

// endless is how long a function runs that a limit has to end. It is much longer
// than the answer takes to get here on a machine that is busy.
const endless = patience

// at says whether the answer came because of a limit: not before it, and not as
// late as one that waits for the function.
func (a answer) at(limit time.Duration) string {
	if a.took < limit || a.took >= endless {
		return " after " + a.took.String()
	}
	return " at " + limit.String()
}

// do sends a request; header is "Name: value" lines.
func (p *process) do(method, target, body string, header ...string) answer {
	p.t.Helper()
	a, err := p.try(p.t.Context(), method, target, strings.NewReader(body), header...)
	if err != nil {
		p.t.Fatalf("%s %s: %v\n%s", method, target, err, p.said())
	}
	return a
}

func (p *process) try(ctx context.Context, method, target string, body io.Reader, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.addr+target, body)
	if err != nil {
		return answer{}, err
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	began := time.Now()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	text, err := io.ReadAll(res.Body)
	a := answer{res.StatusCode, res.Header, string(text), time.Since(began)}
	return a, errors.Join(err, res.Body.Close())
}

// status waits for the watchdog's end and returns its exit status, or says that
// it lives on.
func (p *process) status() string {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.String()
	case <-time.After(p.wait(2 * time.Second)):
		return "lives on"
	}
}

func (p *process) alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// script writes an executable shell script and returns its path.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
