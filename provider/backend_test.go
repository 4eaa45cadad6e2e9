package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/openfaas/faas-provider/types"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/faas-lambda/faas-lambda/emulator"
	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/secrets"
	"github.com/faas-lambda/faas-lambda/provider/backend/backendtest"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

func TestMain(m *testing.M) {
	emulator.Init()
	os.Exit(m.Run())
}

// TestBackendOnTheEmulator runs the conformance suite of backends on the one for
// AWS, with its packager, over the embedded AWS and real sandboxes: once with the
// services that are the default, and once with the others.
func TestBackendOnTheEmulator(t *testing.T) {
	made := build(t)
	t.Run("Secrets Manager and one role", func(t *testing.T) {
		backendtest.Run(t, func(t *testing.T) backendtest.Subject { return made.subject(t, 0) })
	})
	t.Run("Parameter Store and managed roles", func(t *testing.T) {
		backendtest.Run(t, func(t *testing.T) backendtest.Subject {
			s := made.subject(t, 0, func(o *aws.Options) { o.SecretStore, o.Role = secrets.ParameterStore, aws.ManagedRole })
			s.TextSecrets = true
			return s
		})
	})
}

func TestThrottledInvocationsSaySo(t *testing.T) {
	s := build(t).subject(t, 1)
	d := types.FunctionDeployment{Service: "slow", Namespace: s.Namespace, Image: s.Image}
	if err := s.Backend.Deploy(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	// The first invocation takes the one sandbox that there may be until the
	// last byte of its answer is read.
	const n = 20
	kinds := make(chan error, n)
	var wait sync.WaitGroup
	for range n {
		wait.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", bytes.NewReader(make([]byte, 1<<20)))
			answer, err := s.Backend.Invoke(t.Context(), backend.NameOf(d), r)
			if err == nil {
				_, err = io.Copy(io.Discard, answer.Body)
				err = errors.Join(err, answer.Body.Close())
			}
			kinds <- err
		})
	}
	wait.Wait()
	close(kinds)
	served, throttled := 0, 0
	for err := range kinds {
		switch {
		case err == nil:
			served++
		case errors.Is(err, backend.ErrThrottled):
			throttled++
		default:
			t.Errorf("%v", err)
		}
	}
	if served == 0 || throttled == 0 {
		t.Errorf("%d served, %d throttled", served, throttled)
	}
}

// TestInvocationsAtOnce is for the race detector, and for what the SDK does to
// connections under load.
func TestInvocationsAtOnce(t *testing.T) {
	s := build(t).subject(t, 0)
	d := types.FunctionDeployment{Service: "echo", Namespace: s.Namespace, Image: s.Image}
	if err := s.Backend.Deploy(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			body := bytes.Repeat([]byte(strconv.Itoa(i)), 1000*(i+1))
			for range 25 {
				r := httptest.NewRequestWithContext(t.Context(), "POST", "/", bytes.NewReader(body))
				answer, err := s.Backend.Invoke(t.Context(), backend.NameOf(d), r)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(answer.Body)
				if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != http.StatusOK || !bytes.Equal(got, body) {
					t.Errorf("%d, %d bytes of %d, %v", answer.StatusCode, len(got), len(body), err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// made is what the tests deploy: an image as an archive, and a bootstrap.
type made struct {
	image     string
	bootstrap []byte
	cache     string
}

func (m made) packager() *packaging.Packager {
	return packaging.New(packaging.Options{
		Bootstrap: func(string) ([]byte, error) { return m.bootstrap, nil }, CacheDir: m.cache, Revision: "test", Local: true,
	})
}

// awsMust are the abilities of the backend for AWS.
var awsMust = []backendtest.Ability{
	backendtest.Scale, backendtest.Namespaces, backendtest.Secrets, backendtest.Usage, backendtest.Consumption, backendtest.Async, backendtest.Check,
}

// subject is a backend on an AWS of its own.
func (m made) subject(t *testing.T, concurrency int, change ...func(*aws.Options)) backendtest.Subject {
	t.Helper()
	cloud, err := emulator.New(emulator.Options{DataDir: t.TempDir(), Region: region, Account: account, Concurrency: concurrency})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(cloud)
	t.Cleanup(func() {
		server.Close()
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	registry := prometheus.NewRegistry()
	t.Cleanup(func() { checkCalls(t, registry) })
	o := aws.Options{
		Metrics:   registry,
		Namespace: "openfaas-fn", Role: "arn:aws:iam::" + account + ":role/test", Arch: runtime.GOARCH, Memory: 256,
		Timeout: time.Minute, DeployTimeout: time.Minute, Endpoint: server.URL, Region: region, AccessKey: "test", SecretKey: "test",
		Packager: m.packager(),
	}
	for _, to := range change {
		to(&o)
	}
	functions, err := aws.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return backendtest.Subject{Backend: functions, Namespace: "openfaas-fn", Image: m.image, Must: awsMust}
}

// checkCalls compares the calls that were made with the table that the provider's
// policy is printed from.
func checkCalls(t *testing.T, registry *prometheus.Registry) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "faas_lambda_aws_calls_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if !policy.Needs(labels["service"], labels["operation"]) {
				t.Errorf("%s of %s is called, and not in the table of permissions", labels["operation"], labels["service"])
			}
		}
	}
}

// programs are compiled once for all tests.
var programs = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "faas-lambda-provider-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := map[string][]byte{}
	for name, pkg := range map[string]string{"bootstrap": "../bootstrap", "cat": "./testdata/cat", "handler": "./testdata/handler"} {
		cmd := exec.CommandContext(context.Background(), "go", "build", "-ldflags", "-s -w", "-o", filepath.Join(dir, name), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
		if said, err := cmd.CombinedOutput(); err != nil {
			return nil, errors.New(string(said))
		}
		if out[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return out, nil
})

// build makes an image as the classic watchdog's are: fprocess=cat.
func build(t *testing.T) made {
	t.Helper()
	compiled, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return made{image: archive(t, compiled["cat"]), bootstrap: compiled["bootstrap"], cache: t.TempDir()}
}

// archive is such an image with that program, and empty files more.
func archive(t *testing.T, program []byte, more ...string) string {
	t.Helper()
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	for _, path := range []string{"usr/bin/fwatchdog", "bin/cat"} {
		err := w.WriteHeader(&tar.Header{Name: path, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(program))})
		if err == nil {
			_, err = w.Write(program)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range more {
		if err := w.WriteHeader(&tar.Header{Name: path, Typeflag: tar.TypeReg, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: rootFS(t, image), Config: v1.Config{
		Env: []string{"PATH=/usr/bin:/bin", "fprocess=cat"}, Cmd: []string{"fwatchdog"}, WorkingDir: "/",
	}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cat.tar")
	if err := tarball.WriteToFile(path, name.MustParseReference("cat:1").(name.Tag), image); err != nil {
		t.Fatal(err)
	}
	return "docker-archive:" + path
}

func rootFS(t *testing.T, image v1.Image) v1.RootFS {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config.RootFS
}
