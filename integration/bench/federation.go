package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// Hops of a federation: so many invocations each way, in turns, of a body of
// 1 KB.
const (
	hops    = 4000
	hopBody = 1 << 10
)

// federating measures what a federation adds to an invocation: a provider in
// memory, asked by itself and through a federation that reaches it over HTTP,
// with 10 functions and with 1,000. All are processes of their own, on loopback.
func federating(ctx context.Context, bin string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "faas-lambda-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(out, "\nFederation: an invocation of %d bytes by itself and through a federation, %d each in turns\n", hopBody, hops)
	fmt.Fprintf(out, "%-42s %9s %9s %9s %9s\n", "", "p50", "p99", "added p50", "added p99")
	for _, functions := range []int{10, 1000} {
		if err := federatingWith(ctx, filepath.Join(bin, "faas-lambda"), dir, functions, out); err != nil {
			return err
		}
	}
	return nil
}

func federatingWith(ctx context.Context, program, dir string, functions int, out io.Writer) (err error) {
	provider, err := fixture.StartServe(ctx, program, 0, io.Discard, "--backend", "memory")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provider.Stop()) }()
	config := filepath.Join(dir, "federation.yaml")
	content := fmt.Sprintf("federation:\n  default: there\n  children:\n    - {name: there, remote: {url: %q}}\n    - {name: here, memory: {}}\n", provider.URL)
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		return err
	}
	federation, err := fixture.StartServe(ctx, program, 0, io.Discard, "--config", config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, federation.Stop()) }()
	for i := range functions {
		answer, err := federation.Deploy(ctx, types.FunctionDeployment{Service: fmt.Sprint("f", i), Image: "any"})
		if err == nil && answer.Status >= 300 {
			err = fmt.Errorf("deploy answered %d: %s", answer.Status, answer.Body)
		}
		if err != nil {
			return err
		}
	}
	direct, through := make([]time.Duration, 0, hops), make([]time.Duration, 0, hops)
	body := bytes.Repeat([]byte("x"), hopBody)
	for i := range hops + hops/10 {
		path := fmt.Sprintf("/function/f%d", i%functions)
		a, err := invocation(ctx, provider.URL+path, body)
		if err != nil {
			return err
		}
		b, err := invocation(ctx, federation.URL+path, body)
		if err != nil {
			return err
		}
		if i >= hops/10 { // the first ones warm up
			direct, through = append(direct, a), append(through, b)
		}
	}
	slices.Sort(direct)
	slices.Sort(through)
	p99 := len(direct) * 99 / 100
	row := func(name string, times []time.Duration) {
		fmt.Fprintf(out, "%-42s %6.3f ms %6.3f ms", name, ms(median(times)), ms(times[p99]))
	}
	row(fmt.Sprintf("provider in memory, %d functions", functions), direct)
	fmt.Fprintln(out)
	row(fmt.Sprintf("through a federation, %d functions", functions), through)
	fmt.Fprintf(out, " %6.3f ms %6.3f ms\n", ms(median(through)-median(direct)), ms(through[p99]-direct[p99]))
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// hopClient keeps its connections.
var hopClient = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8}}

// invocation times one from its start to the last byte of its answer.
func invocation(ctx context.Context, url string, body []byte) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	res, err := hopClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	took := time.Since(begin)
	if err == nil && (res.StatusCode != http.StatusOK || n != int64(len(body))) {
		err = fmt.Errorf("invocation of %s answered %d with %d bytes", url, res.StatusCode, n)
	}
	return took, err
}
