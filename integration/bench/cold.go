package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/integration/images"
)

// colds is how often each function is started, in turns.
const colds = 11

// packageTypes are what a function can be on Lambda.
var packageTypes = []string{"zip", "layers", "image"}

// coldStarting measures the cold start of a function in each language and type of
// package on the embedded Lambda, as reported and as seen by the caller, beside
// that of the same function from its own root with a watchdog in front of it, from
// the spawn of the watchdog to the answer. With PEERS that is the real of-watchdog,
// without it fwatchdog. It needs root.
func coldStarting(ctx context.Context, bin string, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "faas-lambda-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	watchdog, name := filepath.Join(bin, "fwatchdog"), "fwatchdog"
	if peers := os.Getenv("PEERS"); peers != "" {
		watchdog, name = filepath.Join(peers, "of-watchdog"), "of-watchdog"
		if err := static(watchdog); err != nil {
			return err
		}
	}
	up, err := fixture.StartUp(ctx, filepath.Join(bin, "faas-lambda"), filepath.Join(dir, "data"), io.Discard)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.Stop()) }()
	fmt.Fprintf(out, "\nCold start: initialization and invocation as Lambda reports them, median of %d in turns, beside %s from the image's own root\n", colds, name)
	fmt.Fprintf(out, "%-10s %-8s %10s %10s %11s %10s\n", "language", "package", "reported", name, "added", "seen")
	for _, language := range slices.Sorted(maps.Keys(images.Bases(runtime.GOARCH))) {
		c := colding{up: up, program: filepath.Join(bin, "faas-lambda"), watchdog: watchdog, language: language, dir: filepath.Join(dir, language)}
		if err := c.measure(ctx, out); err != nil {
			return fmt.Errorf("cold start of %s: %w", language, err)
		}
	}
	return nil
}

// colding is the measurement of one language.
type colding struct {
	up                               *fixture.Up
	program, watchdog, language, dir string
	times                            map[string][]time.Duration
}

func (c *colding) measure(ctx context.Context, out io.Writer) error {
	base := images.Bases(runtime.GOARCH)[c.language]
	image, err := c.build(ctx, base)
	if err != nil {
		return err
	}
	plain, err := newRoot(image, c.watchdog, filepath.Join(c.dir, "root"))
	if err != nil {
		return err
	}
	for _, kind := range packageTypes {
		d := types.FunctionDeployment{
			Service: c.function(kind), Image: "oci:" + image, Limits: &types.FunctionResources{Memory: cmp.Or(base.Memory, "1Gi")},
			Annotations: &map[string]string{"com.openfaas.lambda/package": kind},
		}
		if a, err := c.up.Deploy(ctx, d); err != nil || a.Status/100 != 2 {
			return fmt.Errorf("deploy as %s: status %d %s: %w", kind, a.Status, a.Body, err)
		}
	}
	c.times = map[string][]time.Duration{}
	for i := range colds + 1 { // the first of each fills caches
		took, err := plain.start(ctx)
		if err != nil {
			return err
		}
		all := map[string]time.Duration{"plain": took}
		for _, kind := range packageTypes {
			one, err := c.invoke(ctx, kind, i)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			all[kind], all[kind+" seen"] = one.reported, one.seen
		}
		for name, took := range all {
			if i > 0 {
				c.times[name] = append(c.times[name], took)
			}
		}
	}
	for _, kind := range packageTypes {
		ours, seen, theirs := c.median(kind), c.median(kind+" seen"), c.median("plain")
		fmt.Fprintf(out, "%-10s %-8s %7.1f ms %7.1f ms %8.1f ms %7.1f ms\n", c.language, kind, milliseconds(ours), milliseconds(theirs), milliseconds(ours-theirs), milliseconds(seen))
	}
	return nil
}

func (c *colding) median(name string) time.Duration {
	slices.Sort(c.times[name])
	return median(c.times[name])
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

func (c *colding) function(kind string) string { return "cold-" + c.language + "-" + kind }

// build makes the image of the language's function of the matrix and returns its
// layout's folder.
func (c *colding) build(ctx context.Context, base images.Base) (string, error) {
	root, err := fixture.Root()
	if err != nil {
		return "", err
	}
	ref, err := base.Write(ctx, runtime.GOARCH, filepath.Join(c.dir, "base"))
	if err != nil {
		return "", err
	}
	image := filepath.Join(c.dir, "image")
	args := append([]string{c.program, "build", "-f", filepath.Join(root, "integration/functions/matrix/stack.yaml"), "--templates", filepath.Join(root, "templates/template"),
		"--filter", c.language, "--base", ref, "-o", image}, base.BuildArgs...)
	_, err = runMeasured(ctx, root, nil, args)
	return image, err
}

// cold is one cold invocation: as its caller saw it, and as Lambda reports it, the
// initialization and the invocation without the making of the environment, which
// on AWS is AWS's.
type cold struct{ seen, reported time.Duration }

// invoke asks a new environment of the function: those of before are dropped when
// the configuration changes.
func (c *colding) invoke(ctx context.Context, kind string, pass int) (cold, error) {
	function := c.up.AWS + "/2015-03-31/functions/" + c.function(kind)
	_, said, err := send(ctx, http.MethodPut, function+"/configuration", fmt.Sprintf(`{"Description":"pass %d"}`, pass))
	for err == nil && !bytes.Contains(said, []byte(`"LastUpdateStatus":"Successful"`)) {
		time.Sleep(10 * time.Millisecond)
		_, said, err = send(ctx, http.MethodGet, function+"/configuration", "")
	}
	if err != nil {
		return cold{}, err
	}
	event := `{"version":"2.0","rawPath":"/json","rawQueryString":"","headers":{},"requestContext":{"http":{"method":"GET","path":"/json"}},"isBase64Encoded":false}`
	begin := time.Now()
	header, said, err := send(ctx, http.MethodPost, function+"/invocations", event)
	seen := time.Since(begin)
	if err != nil {
		return cold{}, err
	}
	if header.Get("X-Amz-Function-Error") != "" || !bytes.Contains(said, []byte(c.language)) {
		return cold{}, fmt.Errorf("answered %s", said)
	}
	log, err := base64.StdEncoding.DecodeString(header.Get("X-Amz-Log-Result"))
	if err != nil {
		return cold{}, err
	}
	m := reported.FindStringSubmatch(string(log))
	if m == nil {
		return cold{}, fmt.Errorf("the invocation was not cold: %s", log)
	}
	invocation, err := time.ParseDuration(m[1] + "ms")
	initialization, initErr := time.ParseDuration(m[2] + "ms")
	return cold{seen, invocation + initialization}, errors.Join(err, initErr)
}

// reported is the line of the log with which Lambda ends a cold invocation.
var reported = regexp.MustCompile(`\tDuration: ([0-9.]+) ms\t.*\tInit Duration: ([0-9.]+) ms`)

// send asks the embedded Lambda.
func send(ctx context.Context, method, url, body string) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("X-Amz-Log-Type", "Tail")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: status %d: %s", method, url, res.StatusCode, said)
	}
	return res.Header, said, err
}

// job is what the process is told that starts a watchdog in its own root.
type job struct {
	User      uint32
	Root, Dir string
	Env, Args []string
}

func (j job) start(ctx context.Context) (time.Duration, error) {
	data, err := json.Marshal(j)
	if err != nil {
		return 0, err
	}
	said, err := isolated(ctx, string(data))
	if err != nil {
		return 0, err
	}
	return time.ParseDuration(strings.TrimSpace(said))
}
