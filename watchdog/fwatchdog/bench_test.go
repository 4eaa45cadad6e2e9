package main

import (
	"bytes"
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
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/watchdog/watchdogtest"
)

// client is one keep-alive connection's worth of requests.
func client() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}}
}

// round sends n requests from c callers and appends how long each took.
func round(b *testing.B, cl *http.Client, addr string, body []byte, n, c int) []time.Duration {
	times := make([][]time.Duration, c)
	var callers sync.WaitGroup
	for i := range c {
		callers.Go(func() {
			for range n / c {
				began := time.Now()
				res, err := cl.Post("http://"+addr+"/length", "text/plain", bytes.NewReader(body))
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					err = errors.Join(err, res.Body.Close())
				}
				if err != nil {
					b.Error(err)
					return
				}
				times[i] = append(times[i], time.Since(began))
			}
		})
	}
	callers.Wait()
	return slices.Concat(times...)
}

// BenchmarkHop measures what a watchdog adds to a request in http mode: directly
// to the function, through ours and, when PEERS names its directory, through the
// real of-watchdog, in turns.
func BenchmarkHop(b *testing.B) {
	function := watchdogtest.FreeAddr(b)
	startB(b, []string{programs.function, "http", function})
	addrs := map[string]string{"direct": function, "ours": watchdogB(b, programs.ours, function)}
	names := []string{"direct", "ours"}
	if dir := os.Getenv("PEERS"); dir != "" {
		addrs["theirs"] = watchdogB(b, filepath.Join(dir, "of-watchdog"), function)
		names = append(names, "theirs")
	}
	body := bytes.Repeat([]byte("x"), 1<<10)
	for _, c := range []int{1, 8} {
		b.Run(fmt.Sprintf("c=%d", c), func(b *testing.B) {
			times, clients := map[string][]time.Duration{}, map[string]*http.Client{}
			for _, name := range names {
				clients[name] = client()
			}
			for b.Loop() {
				for _, name := range names {
					times[name] = append(times[name], round(b, clients[name], addrs[name], body, 400, c)...)
				}
			}
			p50 := map[string]float64{}
			for _, name := range names {
				slices.Sort(times[name])
				p50[name] = float64(times[name][len(times[name])/2].Nanoseconds()) / 1e3
				b.ReportMetric(p50[name], name+"-p50-µs")
			}
			if len(names) == 3 {
				b.ReportMetric((p50["ours"]-p50["direct"])/(p50["theirs"]-p50["direct"]), "added-ratio")
			}
		})
	}
}

// BenchmarkFork compares a request in streaming mode with the least that a
// server can do to start a process: net/http and os/exec and nothing else.
func BenchmarkFork(b *testing.B) {
	bare := watchdogtest.FreeAddr(b)
	startB(b, []string{programs.function, "forks", bare})
	awaitB(b, bare)
	addrs := map[string]string{"bare": bare, "ours": watchdogWith(b, programs.ours, "fprocess=/bin/cat")}
	body := bytes.Repeat([]byte("x"), 1<<10)
	clients, times := map[string]*http.Client{"bare": client(), "ours": client()}, map[string][]time.Duration{}
	for b.Loop() {
		for name, addr := range addrs {
			times[name] = append(times[name], round(b, clients[name], addr, body, 50, 1)...)
		}
	}
	p50 := map[string]float64{}
	for name, all := range times {
		slices.Sort(all)
		p50[name] = float64(all[len(all)/2].Nanoseconds()) / 1e3
		b.ReportMetric(p50[name], name+"-p50-µs")
	}
	b.ReportMetric(p50["ours"]/p50["bare"], "ratio")
}

// startB runs a command until the benchmark ends.
func startB(b *testing.B, argv []string, env ...string) {
	b.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // so that a watchdog ends its function
		_ = cmd.Wait()
	})
}

// watchdogB runs a watchdog in http mode before a function that runs already.
func watchdogB(b *testing.B, program, function string) string {
	b.Helper()
	return watchdogWith(b, program, "mode=http", "fprocess=sleep 1000", "upstream_url=http://"+function)
}

func watchdogWith(b *testing.B, program string, env ...string) string {
	b.Helper()
	addr := watchdogtest.FreeAddr(b)
	_, port, _ := strings.Cut(addr, ":")
	_, side, _ := strings.Cut(watchdogtest.FreeAddr(b), ":")
	startB(b, []string{program}, append(env, "port="+port, "metrics_port="+side, "healthcheck_interval=0", "TMPDIR="+b.TempDir())...)
	awaitB(b, addr)
	return addr
}

// awaitB waits until something listens.
func awaitB(b *testing.B, addr string) {
	b.Helper()
	limit := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			if err := conn.Close(); err != nil {
				b.Fatal(err)
			}
			return
		}
		if time.Now().After(limit) {
			b.Fatal(err)
		}
	}
}
