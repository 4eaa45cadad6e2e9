package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/emulator"
	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/config"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// stacked is an image of several layers, each a set of files, with a watchdog.
func stacked(t *testing.T, files ...map[string][]byte) string {
	t.Helper()
	return stackedAs(t, v1.Config{Env: []string{"PATH=/usr/bin:/bin", "fprocess=cat"}, Cmd: []string{"fwatchdog"}, WorkingDir: "/home/app"}, files...)
}

func stackedAs(t *testing.T, as v1.Config, files ...map[string][]byte) string {
	t.Helper()
	image := empty.Image
	for _, set := range files {
		var content bytes.Buffer
		w := tar.NewWriter(&content)
		for path, data := range set {
			err := w.WriteHeader(&tar.Header{Name: path, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(data))})
			if err == nil {
				_, err = w.Write(data)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil })
		if err == nil {
			image, err = mutate.AppendLayers(image, layer)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	image, err := mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: rootFS(t, image), Config: as})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := tarball.WriteToFile(path, name.MustParseReference("image:1").(name.Tag), image); err != nil {
		t.Fatal(err)
	}
	return "docker-archive:" + path
}

// noise does not compress.
func noise(seed uint64, size int) []byte {
	data := make([]byte, size)
	var key [32]byte
	key[0] = byte(seed)
	source := rand.NewChaCha8(key)
	_, _ = source.Read(data) // never fails
	return data
}

// counting counts what is uploaded to the AWS behind it.
type counting struct {
	http.Handler
	bytes     atomic.Int64
	published atomic.Int64 // Lambda layers
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/2018-10-31/layers/") {
		c.published.Add(1)
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, (*counter)(&c.bytes)), r.Body}
	c.Handler.ServeHTTP(w, r)
}

type counter atomic.Int64

func (c *counter) Write(p []byte) (int, error) {
	(*atomic.Int64)(c).Add(int64(len(p)))
	return len(p), nil
}

// sharing is a backend, and the AWS that counts.
func sharing(t *testing.T, m made) (*aws.Backend, *counting, string) {
	t.Helper()
	cloud, err := emulator.New(emulator.Options{DataDir: t.TempDir(), Region: region, Account: account})
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{Handler: cloud}
	server := httptest.NewServer(c)
	t.Cleanup(func() {
		server.Close()
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	functions, err := aws.Open(t.Context(), aws.Options{
		Namespace: "openfaas-fn", Role: "arn:aws:iam::" + account + ":role/test", Arch: runtime.GOARCH, Memory: 256,
		Timeout: time.Minute, DeployTimeout: time.Minute, Endpoint: server.URL, Region: region, AccessKey: "test", SecretKey: "test",
		Packager: packaging.New(packaging.Options{
			Bootstrap: func(string) ([]byte, error) { return m.bootstrap, nil }, CacheDir: t.TempDir(), Revision: "test", Local: true,
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return functions, c, server.URL
}

func inLayers(name, image string) types.FunctionDeployment {
	return types.FunctionDeployment{Service: name, Namespace: "openfaas-fn", Image: image, Annotations: &map[string]string{"com.openfaas.lambda/package": "layers"}}
}

// call invokes a function and returns its answer.
func call(t *testing.T, b *aws.Backend, d types.FunctionDeployment, body string) string {
	t.Helper()
	answer, err := b.Invoke(t.Context(), backend.NameOf(d), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestLayersAreSharedAndCollected deploys functions of one base: the first
// uploads megabytes, the next ones kilobytes, and what no version of any uses
// any more is collected.
func TestLayersAreSharedAndCollected(t *testing.T) {
	m := build(t)
	compiled, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	base := map[string][]byte{"bin/cat": compiled["cat"], "usr/bin/fwatchdog": compiled["cat"], "usr/lib/noise": noise(1, 6<<20)}
	second := map[string][]byte{"usr/lib/more": noise(2, 5<<20)}
	b, aws, url := sharing(t, m)
	one := inLayers("one", stacked(t, base, second, map[string][]byte{"home/app/h": []byte("1")}))
	two := inLayers("two", stacked(t, base, second, map[string][]byte{"home/app/h": []byte("2")}))
	other := inLayers("other", stacked(t, base, map[string][]byte{"usr/lib/else": noise(3, 5<<20)}, map[string][]byte{"home/app/h": []byte("3")}))
	for _, step := range []struct {
		d         types.FunctionDeployment
		low, high int64 // bytes that are uploaded
		published int64
	}{
		{one, 11 << 20, 30 << 20, 3},
		{two, 1, 64 << 10, 0},
		{other, 5 << 20, 8 << 20, 1},
	} {
		aws.bytes.Store(0)
		aws.published.Store(0)
		if err := b.Deploy(t.Context(), step.d); err != nil {
			t.Fatal(err)
		}
		if n, p := aws.bytes.Load(), aws.published.Load(); n < step.low || n > step.high || p != step.published {
			t.Errorf("%s: %d bytes uploaded, want %d to %d; %d layers published, want %d", step.d.Service, n, step.low, step.high, p, step.published)
		}
		if got := call(t, b, step.d, "ping"); got != "ping" {
			t.Errorf("%s answered %q", step.d.Service, got)
		}
	}
	collectable := func(remove bool) (n int) {
		t.Helper()
		list, err := b.CollectLayers(t.Context(), "openfaas-fn", 0, remove)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			if v.Removed != remove {
				t.Errorf("%+v", v)
			}
		}
		return len(list)
	}
	if n := collectable(true); n != 0 {
		t.Errorf("%d layers in use were collected", n)
	}
	// A deployment that replaces one with layers leaves them to the version
	// before, which can be rolled back to.
	one.Annotations = nil
	if err := b.Update(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), backend.NameOf(two)); err != nil {
		t.Fatal(err)
	}
	if n := collectable(false); n != 0 {
		t.Errorf("%d layers that an earlier version uses could be collected", n)
	}
	if err := b.Delete(t.Context(), backend.NameOf(one)); err != nil {
		t.Fatal(err)
	}
	if n := collectable(false); n != 1 {
		t.Errorf("%d layers could be collected, want the one that only they had", n)
	}
	if list, err := b.CollectLayers(t.Context(), "openfaas-fn", time.Hour, true); err != nil || len(list) != 1 || !list[0].Fresh || list[0].Removed {
		t.Errorf("young layers: %+v, %v", list, err)
	}
	checkCommand(t, url)
	if got := call(t, b, other, "pong"); got != "pong" {
		t.Errorf("other answered %q", got)
	}
	aws.published.Store(0)
	if err := b.Deploy(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	if p := aws.published.Load(); p != 1 {
		t.Errorf("%d layers published again, want 1", p)
	}
}

// checkCommand collects one layer by the command.
func checkCommand(t *testing.T, url string) {
	t.Helper()
	cfg := config.Config{Namespace: "openfaas-fn", Lambda: config.Lambda{Endpoint: url, Region: region, AccessKey: "test", SecretKey: "test"}}
	for _, c := range []struct {
		options layersOptions
		want    string
	}{
		{layersOptions{minAge: time.Hour}, "kept: younger than 1h0m0s"},
		{layersOptions{}, "1 can go: faas-lambda layers gc --delete"},
		{layersOptions{json: true}, `"arn":"arn:aws:lambda:`},
		{layersOptions{remove: true}, "removed"},
		{layersOptions{}, "no layer is unused"},
		{layersOptions{json: true}, "[]"},
	} {
		var out bytes.Buffer
		if err := collect(t.Context(), cfg, c.options, &out); err != nil || !strings.Contains(out.String(), c.want) {
			t.Errorf("%+v: %v\n%s", c.options, err, &out)
		}
	}
}

// TestLayersKeepToLambdasLimits deploys what Lambda refuses.
func TestLayersKeepToLambdasLimits(t *testing.T) {
	compiled, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	b, _, _ := sharing(t, build(t))
	base := map[string][]byte{"bin/cat": compiled["cat"], "usr/bin/fwatchdog": compiled["cat"], "usr/lib/zero": make([]byte, 150<<20), "usr/lib/noise": noise(4, 2<<20)}
	large := inLayers("large", stacked(t, base, map[string][]byte{"home/app/zero": make([]byte, 110<<20)}))
	err = b.Deploy(t.Context(), large)
	if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is ") {
		t.Errorf("too large: %v", err)
	}
	many := inLayers("many", stacked(t, map[string][]byte{"bin/cat": compiled["cat"], "usr/bin/fwatchdog": compiled["cat"]}))
	var arns []string
	for i := range 5 {
		arns = append(arns, "arn:aws:lambda:"+region+":"+account+":layer:l"+strconv.Itoa(i)+":1")
	}
	(*many.Annotations)["com.openfaas.lambda/layers"] = strings.Join(arns, ",")
	err = b.Deploy(t.Context(), many)
	if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "Cannot reference more than 5 layers") {
		t.Errorf("too many: %v", err)
	}
}
