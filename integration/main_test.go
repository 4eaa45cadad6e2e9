// Package integration tests the whole line: the built programs, real images in
// a real registry, real HTTP, real sandboxes.
package integration

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// arch is what the sandboxes run.
const arch = runtime.GOARCH

// programs is the path of the built programs.
var programs string

// shared is the `faas-lambda up` and the registry that most tests use side by
// side; a test that stops or breaks anything starts its own.
var shared struct {
	registry *fixture.Registry
	up       *fixture.Up
	log      *lockedBuffer
}

func TestMain(m *testing.M) {
	code, err := setUp(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func setUp(m *testing.M) (int, error) {
	root, err := fixture.Root()
	if err != nil {
		return 0, err
	}
	programs = filepath.Join(root, "bin")
	if out, err := exec.Command("make", "-C", root, "--no-print-directory", "build").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("make build: %w\n%s", err, out)
	}
	data, err := os.MkdirTemp("", "faas-lambda-integration-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(data)
	if shared.registry, err = fixture.StartRegistry(); err != nil {
		return 0, err
	}
	defer shared.registry.Close()
	shared.log = &lockedBuffer{}
	if shared.up, err = fixture.StartUp(context.Background(), filepath.Join(programs, "faas-lambda"), data, shared.log); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, shared.log)
	}
	code := m.Run()
	if err := shared.up.Stop(); err != nil {
		return 0, fmt.Errorf("faas-lambda up: %w\n%s", err, shared.log)
	}
	return code, nil
}

// lockedBuffer collects what a child prints.
type lockedBuffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// built caches compiled function programs by their folder and architecture.
var built sync.Map

// program compiles integration/functions/name, or another folder of the
// repository when name has a slash.
func program(t testing.TB, name, arch string) []byte {
	t.Helper()
	compile, _ := built.LoadOrStore(name+" "+arch, sync.OnceValues(func() ([]byte, error) {
		root, err := fixture.Root()
		if err != nil {
			return nil, err
		}
		dir := filepath.Join(root, "integration", "functions", name)
		if strings.Contains(name, "/") {
			dir = filepath.Join(root, name)
		}
		return fixture.Build(context.Background(), dir, ".", arch)
	}))
	data, err := compile.(func() ([]byte, error))()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// middleware is the golang-middleware shaped image of one of our functions.
func middleware(t testing.TB, name string, env ...string) v1.Image {
	t.Helper()
	img, err := fixture.Middleware(arch, program(t, name, arch), program(t, "watchdog", arch), env...)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// classic is the classic watchdog image with our cat.
func classic(t testing.TB, env ...string) v1.Image {
	t.Helper()
	img, err := fixture.Classic(arch, program(t, "cat", arch), program(t, "watchdog", arch), env...)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// push puts img into the shared registry and returns its reference.
func push(t testing.TB, repository string, img v1.Image) string {
	t.Helper()
	ref, err := shared.registry.Push(t.Context(), repository, img)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// fresh is a name for a function whose log and counts are to be those of one test
// alone: they outlive functions.
func fresh(name string) string { return fmt.Sprintf("%s-%d", name, time.Now().UnixNano()) }

// deploy deploys d to the shared provider and removes it after the test.
func deploy(t testing.TB, d types.FunctionDeployment) {
	t.Helper()
	answer, err := shared.up.Deploy(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != http.StatusAccepted && answer.Status != http.StatusOK {
		t.Fatalf("deploy %s answered %d: %s\n%s", d.Service, answer.Status, answer.Body, shared.log)
	}
	t.Cleanup(func() {
		if _, err := shared.up.Remove(context.WithoutCancel(t.Context()), d.Service); err != nil {
			t.Errorf("remove %s: %v", d.Service, err)
		}
	})
}

// do sends a request to the shared provider.
func do(t testing.TB, method, path string, body []byte, header ...string) fixture.Answer {
	t.Helper()
	answer, err := shared.up.Do(t.Context(), method, path, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}
