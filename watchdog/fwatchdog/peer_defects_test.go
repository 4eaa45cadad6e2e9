package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// overdue says how a request ends whose function takes longer than limit. The real
// watchdogs may give none, when they wait for longer than they may write.
func overdue(p *process, limit time.Duration) string {
	a, err := p.ready().try(p.t.Context(), "GET", "/", nil)
	if err != nil {
		return "no answer"
	}
	return fmt.Sprint(a.status, a.at(limit))
}

// files lists the watchdog's TMPDIR.
func (p *process) files() []string {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}

func (p *process) signal() {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// piecemeal is a body that is sent in small pieces, as over a network.
type piecemeal struct{ r *strings.Reader }

func (p *piecemeal) Read(b []byte) (int, error) {
	runtime.Gosched()
	return p.r.Read(b[:min(len(b), 4096)])
}

// count runs a request n times and says how many answers were body with 200.
func (p *process) count(n int, send, body string) string {
	good := 0
	for range n {
		if a, err := p.try(p.t.Context(), "POST", "/", &piecemeal{strings.NewReader(send)}); err == nil && a.status == 200 && a.body == body {
			good++
		}
	}
	return fmt.Sprintf("%d of %d", good, n)
}

// defects are what the real watchdogs do wrong, numbered as in the contract.
func defects(t *testing.T) []blackBox {
	http := func(more ...string) []string {
		return append([]string{"mode=http", "fprocess=$FN http $UP", "upstream_url=http://$UP"}, more...)
	}
	large := strings.Repeat("0123456789", 30_000)
	grandchild := script(t, "sleep 60; true\n")
	waiting := script(t, "echo $$ > pid; cat; sleep 60; true\n")
	return []blackBox{
		{
			name: "defect 1 streaming 300 KB", env: []string{"fprocess=cat"}, defect: "bodies are truncated",
			observe: func(p *process) string { return p.ready().count(20, large, large) },
			want:    "20 of 20",
		},
		{
			name: "defect 2 request before the function listens", env: http("LISTEN_AFTER=300ms"), defect: "500 until it listens",
			observe: func(p *process) string {
				p.until("it listens", func() bool { return p.listens(p.addr) })
				return fmt.Sprint(p.do("GET", "/204", "").status)
			},
			want: "204",
		},
		{
			name: "defect 3 Content-Length", env: http(), defect: "always chunked",
			observe: func(p *process) string { return p.ready().do("POST", "/length", "12345").body },
			want:    "5 []",
		},
		{
			name: "defect 4 events of a dead function", env: http(), defect: "200 and empty",
			observe: func(p *process) string {
				return fmt.Sprint(p.ready().do("GET", "/abort", "", "Accept: text/event-stream").status)
			},
			want: "500",
		},
		{
			name: "defect 4b child exits 0", env: http(), defect: "lives on, healthy, with nothing behind it",
			observe: func(p *process) string {
				_, _ = p.ready().try(t.Context(), "GET", "/exit?code=0", nil) // answered or broken off
				return p.status()
			},
			want: "exit status 1",
		},
		{
			name: "defect 5 serializing 3 MB nobody reads", env: []string{"fprocess=$FN ignore", "mode=serializing"}, defect: "200 or 500 by chance",
			observe: func(p *process) string { return p.ready().count(20, strings.Repeat("x", 3<<20), "done") },
			want:    "20 of 20",
		},
		{
			name: "defect 6 streaming grandchild", env: []string{"fprocess=" + grandchild, "exec_timeout=500ms"}, defect: "waits for the grandchild",
			observe: func(p *process) string { return overdue(p, 500*time.Millisecond) },
			want:    "200 at 500ms",
		},
		{
			name: "defect 6b classic grandchild", classic: true, env: []string{"fprocess=" + grandchild, "exec_timeout=500ms"}, defect: "waits for the grandchild",
			observe: func(p *process) string { return overdue(p, 500*time.Millisecond) },
			want:    "408 at 500ms",
		},
		{
			name: "defect 7 client goes away", env: []string{"fprocess=" + waiting}, defect: "the function runs on",
			observe: func(p *process) string {
				ctx, cancel := context.WithCancel(p.ready().t.Context())
				done := make(chan struct{})
				go func() { defer close(done); _, _ = p.try(ctx, "POST", "/", strings.NewReader("x")) }()
				pid := 0
				p.until("the function runs", func() bool {
					text, err := os.ReadFile(filepath.Join(p.dir, "pid"))
					pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
					return err == nil && pid > 0
				})
				cancel()
				<-done
				if p.gone(func() bool { return !p.alive(pid) }) {
					return "stopped"
				}
				_ = syscall.Kill(pid, syscall.SIGKILL) // so that nothing is left over
				return "runs on"
			},
			want: "stopped",
		},
		{
			name: "defect 7b X-Timeout: 0", env: http("exec_timeout=300ms"), defect: "takes the limit away",
			observe: func(p *process) string {
				return fmt.Sprint(p.ready().do("GET", "/sleep?d=10s", "", "X-Timeout: 0s").status)
			},
			want: "504",
		},
		{
			name: "defect 7c lock cannot be written", env: []string{"fprocess=cat", "TMPDIR=/dev/null/x"}, defect: "exit status 0",
			observe: func(p *process) string { return p.status() },
			want:    "exit status 1",
		},
		{
			name: "defect 7d a long log line", env: []string{"fprocess=$FN long-line"}, defect: "it and all after it are lost",
			observe: func(p *process) string {
				p.ready().do("GET", "/", "")
				return fmt.Sprint(p.gone(func() bool { return p.logged(strings.Repeat("x", 100_000)) && p.logged("after the long line") }))
			},
			want: "true",
		},
		{
			name: "defect 7e suppress_lock", env: []string{"fprocess=cat", "suppress_lock=true"}, defect: "never healthy",
			observe: func(p *process) string {
				p.ready()
				return fmt.Sprint(p.gone(func() bool { return p.do("GET", "/_/health", "").status == 200 }))
			},
			want: "true",
		},
		{
			name: "defect 8 http path with //", env: http(), defect: "redirected to a path that the client did not ask for",
			observe: func(p *process) string { return p.ready().do("GET", "/raw/a//b/../c", "").body },
			want:    "/raw/a//b/../c",
		},
		{
			name: "defect streaming missing binary", env: []string{"fprocess=/nonexistent"}, defect: "200 and empty",
			observe: func(p *process) string { return fmt.Sprint(p.ready().do("GET", "/", "").status) },
			want:    fmt.Sprint(httpInternalError),
		},
	}
}

const httpInternalError = http.StatusInternalServerError
