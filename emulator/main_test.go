package emulator

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

// runtimeProgram is the test runtime of the sandbox package, compiled.
var runtimeProgram []byte

func TestMain(m *testing.M) {
	Init()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	if code, child := runChild(); child {
		return code
	}
	dir, err := os.MkdirTemp("", "emulator-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "bootstrap")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "./sandbox/testdata/runtime")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build test runtime: %v\n%s", err, out)
		return 1
	}
	if runtimeProgram, err = os.ReadFile(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

const testRole = "arn:aws:iam::000000000000:role/r"

// zipOf packs files; names that end in / are directories.
func zipOf(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, data := range files {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(0o755)
		if strings.HasSuffix(name, "/") {
			header.SetMode(fs.ModeDir | 0o755)
		}
		f, err := w.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipCode(zip []byte) *types.FunctionCode { return &types.FunctionCode{ZipFile: zip} }

// packed is the test runtime as a function's code.
var packed = sync.OnceValue(func() []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Store} // under the race detector inflating takes longer than a test
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err == nil {
		_, err = f.Write(runtimeProgram)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return nil
	}
	return out.Bytes()
})

// harness is an emulator on loopback with a client.
type harness struct {
	*Server
	t      testing.TB
	http   *httptest.Server
	client *lambda.Client
	log    *logBuffer
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func start(t testing.TB, opts Options) *harness {
	t.Helper()
	h := &harness{t: t, log: &logBuffer{}}
	opts.LogOutput = h.log
	server, err := newServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	h.Server = server
	h.http = httptest.NewServer(server)
	h.client = clientFor(h.http.URL)
	t.Cleanup(h.stop)
	return h
}

func (h *harness) stop() {
	if err := h.Server.Close(); err != nil {
		h.t.Error(err)
	}
	h.http.Close()
}

// newServer makes an emulator with the test runtime in S3, where createInput takes it from.
func newServer(opts Options) (*Server, error) {
	server, err := New(opts)
	if err == nil {
		server.hooks.objects = bucket{"runtime.zip": packed()}
	}
	return server, err
}

func clientFor(url string) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
}

func createInput(name string, environment map[string]string) *lambda.CreateFunctionInput {
	in := &lambda.CreateFunctionInput{
		FunctionName: aws.String(name), Role: aws.String(testRole), Handler: aws.String("bootstrap"), Runtime: types.RuntimeProvidedal2023,
		Code: &types.FunctionCode{S3Bucket: aws.String("b"), S3Key: aws.String("runtime.zip")}, Timeout: aws.Int32(20), MemorySize: aws.Int32(256),
	}
	if environment != nil {
		in.Environment = &types.Environment{Variables: environment}
	}
	return in
}

// deploy creates a function of the test runtime and waits until it is active.
func (h *harness) deploy(name string, change func(*lambda.CreateFunctionInput)) {
	h.t.Helper()
	in := createInput(name, nil)
	if change != nil {
		change(in)
	}
	if _, err := h.client.CreateFunction(h.t.Context(), in); err != nil {
		h.t.Fatal(err)
	}
	h.active(name)
}

func (h *harness) active(name string) {
	h.t.Helper()
	in := &lambda.GetFunctionInput{FunctionName: aws.String(name)}
	quick := func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 5*time.Millisecond, 20*time.Millisecond
	}
	if err := lambda.NewFunctionActiveV2Waiter(h.client, quick).Wait(h.t.Context(), in, time.Minute); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) updated(name string) {
	h.t.Helper()
	in := &lambda.GetFunctionInput{FunctionName: aws.String(name)}
	quick := func(o *lambda.FunctionUpdatedV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 5*time.Millisecond, 20*time.Millisecond
	}
	if err := lambda.NewFunctionUpdatedV2Waiter(h.client, quick).Wait(h.t.Context(), in, time.Minute); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) invoke(name, payload string) *lambda.InvokeOutput {
	h.t.Helper()
	out, err := h.tryInvoke(h.t.Context(), name, payload)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func (h *harness) tryInvoke(ctx context.Context, name, payload string) (*lambda.InvokeOutput, error) {
	return h.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(name), Payload: []byte(payload), LogType: types.LogTypeTail})
}

// wantError checks the code and the words of an API error.
func wantError(t testing.TB, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("error = %v, want %s", err, code)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), message) {
		t.Errorf("error = %s %q\nwant    %s %q", api.ErrorCode(), api.ErrorMessage(), code, message)
	}
}

// waitFor polls for what happens in the background and is told to nobody but the log.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		}
	}
}

func zipHash(zip []byte) string {
	sum := sha256.Sum256(zip)
	return hex.EncodeToString(sum[:])
}
