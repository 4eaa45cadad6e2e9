package main

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/emulator"
	"github.com/faas-lambda/faas-lambda/emulator/faults"
	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
)

// cloud is an AWS that all cases share: each has a namespace and an access key
// of its own.
type cloud struct {
	cache  string            // of packages
	images map[string]string // by generation; "large" has a zip that Lambda takes from S3 only
	server *emulator.Server
	url    *url.URL
	lambda *lambda.Client
	s3     *s3.Client
	runs   http.HandlerFunc // answers invocations where no package holds anything that runs

	mu    sync.Mutex               // guards calls
	calls map[string][]faults.Call // by access key, in their order
}

// ServeHTTP keeps what is called, and by whom. Where no package holds anything
// that runs, it answers invocations by itself, unless they are to fail.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := c.server.CallOf(r)
	c.mu.Lock()
	c.calls[call.AccessKey] = append(c.calls[call.AccessKey], call)
	c.mu.Unlock()
	if c.runs != nil && call.Operation == "InvokeWithResponseStream" {
		c.server.Faults().Serve(w, r, call, c.runs, refused)
		return
	}
	c.server.ServeHTTP(w, r)
}

// started is how bootstrap answers that a function runs.
func started(w http.ResponseWriter, _ *http.Request) {
	streamed(w, [2]string{"PayloadChunk", `{"statusCode":200}` + strings.Repeat("\x00", 8)}, [2]string{"InvokeComplete", "{}"})
}

// streamed writes the events of a streamed answer: their types and payloads.
func streamed(w http.ResponseWriter, events ...[2]string) {
	encoder := eventstream.NewEncoder()
	for _, e := range events {
		message := eventstream.Message{Payload: []byte(e[1])}
		message.Headers.Set(":message-type", eventstream.StringValue("event"))
		message.Headers.Set(":event-type", eventstream.StringValue(e[0]))
		if encoder.Encode(w, message) != nil {
			return // the client is gone
		}
	}
}

// refused is how Lambda answers that it does not invoke.
func refused(w http.ResponseWriter, _ *http.Request, _ faults.Call, why faults.Refusal) {
	code, status := cmp.Or(why.Code, "ServiceException"), cmp.Or(why.Status, http.StatusInternalServerError)
	if why.Throttled {
		code, status = "TooManyRequestsException", http.StatusTooManyRequests
	}
	w.Header().Set("X-Amzn-ErrorType", code)
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q}`, why.Message)
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{cache: t.TempDir(), images: map[string]string{}, calls: map[string][]faults.Call{}}
	for _, generation := range []string{"older", "old", "new"} {
		c.images[generation] = archive(t, program(), "home/"+generation)
	}
	server, err := emulator.New(emulator.Options{
		Region: region, Account: account, Concurrency: 100_000, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.server = server
	web := httptest.NewServer(c)
	t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if c.url, err = url.Parse(web.URL); err != nil {
		t.Fatal(err)
	}
	cfg := c.config()
	c.lambda, c.s3 = lambda.NewFromConfig(cfg), s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	return c
}

// config is how others than the provider reach it.
func (c *cloud) config() awssdk.Config {
	return awssdk.Config{Region: region, Credentials: awscredentials.NewStaticCredentialsProvider("test", "test", ""), BaseEndpoint: awssdk.String(c.url.String())}
}

// program is the least that passes for a statically linked program of this
// machine. Nothing runs it.
func program() []byte {
	var out bytes.Buffer
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	header := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Entry: 0x400078, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	load := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: 5, Vaddr: 0x400000, Paddr: 0x400000, Filesz: 128, Memsz: 128, Align: 0x1000}
	_ = binary.Write(&out, binary.LittleEndian, header) // into memory
	_ = binary.Write(&out, binary.LittleEndian, load)
	out.Write(make([]byte, 8))
	return out.Bytes()
}

// faultCase is one function that is changed.
type faultCase struct {
	name    backend.Name
	key     string // access key of whoever changes it
	images  map[string]string
	more    map[string]string // annotations
	long    bool              // the new deployment does not fit into tags
	managed bool              // its role is managed
}

// process makes each case's package another one.
func (c faultCase) process(generation string) string { return "cat " + generation + " " + c.key }

// deployment is what the function is deployed with, told apart by generation.
func (c faultCase) deployment(generation string) types.FunctionDeployment {
	annotations := map[string]string{"generation": generation, "com.openfaas.lambda/reserved-concurrency": map[string]string{"older": "3", "old": "4", "new": "5"}[generation]}
	maps.Copy(annotations, c.more)
	if generation != "new" && c.more["com.openfaas.lambda/sqs"] != "" { // so that an update has something to do
		delete(annotations, "com.openfaas.lambda/url")
		annotations["com.openfaas.lambda/sqs"] += "?batch-size=5"
		annotations["com.openfaas.lambda/schedule"] = "rate(2 days)"
		annotations["com.openfaas.lambda/s3"] += "?prefix=in/" // which overlaps with the new one
	}
	if c.managed { // each generation's role may do something else
		annotations["com.openfaas.lambda/on-failure"] = queueOf(generation)
	}
	if c.long && generation == "new" {
		annotations["long"] = incompressible(20_000)
	}
	return types.FunctionDeployment{
		Service: c.name.Function, Namespace: c.name.Namespace, Image: c.images[generation], EnvProcess: c.process(generation),
		EnvVars: map[string]string{"GENERATION": generation}, Annotations: &annotations,
	}
}

// queueOf is where failed invocations of a generation in a managed role go.
func queueOf(generation string) string {
	return "arn:aws:sqs:" + region + ":" + account + ":" + generation
}

// open returns a provider of somebody's.
func (c *cloud) open(ctx context.Context, fc faultCase, key string, patience time.Duration) (*aws.Backend, error) {
	o := c.options(fc.name.Namespace, c.url.String(), patience)
	o.AccessKey = key
	if fc.managed {
		o.Role = aws.ManagedRole
	}
	if key != c.settler() { // its images are pushed by it alone
		o.ImageRepository = "images-" + key
	}
	return aws.Open(ctx, o)
}

// settler is the access key of those who prepare, look and settle.
func (c *cloud) settler() string { return "settler" }

func (c *cloud) options(namespace, endpoint string, patience time.Duration) aws.Options {
	return aws.Options{
		Namespace: namespace, Role: "arn:aws:iam::" + account + ":role/test", Arch: runtime.GOARCH, Memory: 256, Timeout: time.Minute,
		DeployTimeout: patience, MaxBackoff: time.Millisecond, TakeOver: -1, MetricsFreshness: -1, Endpoint: endpoint, Region: region, AccessKey: "test", SecretKey: "test",
		Packager: made{bootstrap: []byte("never run"), cache: c.cache}.packager(),
	}
}

// do prepares a case and makes its change while the fault is on. It returns the
// calls of the change, and another provider.
func (c *cloud) do(ctx context.Context, fc faultCase, s scenario, calls []faults.Call, at int, f fault) (made []faults.Call, other *aws.Backend, changed, failed error) {
	other, err := c.open(ctx, fc, c.settler(), 5*time.Minute)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, generation := range s.before {
		if err := other.Deploy(ctx, fc.deployment(generation)); err != nil {
			return nil, nil, nil, fmt.Errorf("prepare: %w", err)
		}
	}
	changing, leave := context.WithCancel(ctx)
	defer leave()
	patience := 5 * time.Minute
	if f.stuck {
		patience = 100 * time.Millisecond // it will be exhausted
	}
	b, err := c.open(ctx, fc, fc.key, patience)
	if err != nil {
		return nil, nil, nil, err
	}
	var ids []string
	for _, fault := range f.on(fc, calls, at, leave) {
		id, err := c.server.Faults().Add(fault)
		if err != nil {
			return nil, nil, nil, err
		}
		ids = append(ids, id)
	}
	changed = s.change(changing, b, fc)
	for _, id := range ids {
		c.server.Faults().Remove(id)
	}
	if f.stuck {
		if err := c.settled(ctx, fc); err != nil {
			return nil, nil, nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[fc.key], other, changed, nil
}

// settled waits until Lambda has ended what it was held up in.
func (c *cloud) settled(ctx context.Context, fc faultCase) error {
	for {
		out, err := c.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &fc.name.Function})
		if err != nil && strings.Contains(err.Error(), "ResourceNotFound") {
			return nil
		}
		if err != nil || out.State != "Pending" && out.LastUpdateStatus != "InProgress" {
			return err
		}
	}
}

// rehearse returns the calls of a change that nothing happens to.
func (c *cloud) rehearse(t *testing.T, s scenario) []faults.Call {
	t.Helper()
	fc := c.newCase(t, "rehearsal-"+strings.ReplaceAll(s.name, " ", "-"), s)
	calls, other, changed, err := c.do(t.Context(), fc, s, nil, 0, fault{})
	if err := errors.Join(changed, err); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	calls = slices.Clone(calls)
	if err := c.check(t.Context(), fc, s, other, nil, fault{}); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return calls
}

// newCase makes a function's name and images.
func (c *cloud) newCase(t *testing.T, id string, s scenario) faultCase {
	t.Helper()
	fc := faultCase{name: backend.Name{Namespace: id, Function: "f-" + id}, key: "key-" + id, images: c.images, more: s.annotations, long: s.long, managed: s.managed}
	if s.triggers {
		fc.more = triggered(t, c, id)
	}
	if s.images != nil {
		fc.images = s.images(t, c, id)
	}
	return fc
}

func (c *cloud) run(ctx context.Context, fc faultCase, s scenario, calls []faults.Call, at int, f fault) error {
	_, other, changed, err := c.do(ctx, fc, s, calls, at, f)
	if err != nil {
		return err
	}
	return c.check(ctx, fc, s, other, changed, f)
}

// served returns the generation that serves by the alias; empty when there is no
// such function.
func (c *cloud) served(ctx context.Context, fc faultCase) (string, error) {
	out, err := c.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &fc.name.Function, Qualifier: awssdk.String("live")})
	if err != nil {
		if strings.Contains(err.Error(), "ResourceNotFound") {
			return "", nil
		}
		return "", err
	}
	return out.Environment.Variables["GENERATION"], nil
}

// check is what must hold after a change, whatever happened to it.
func (c *cloud) check(ctx context.Context, fc faultCase, s scenario, other *aws.Backend, changed error, f fault) error {
	serves, err := c.served(ctx, fc)
	if err != nil {
		return err
	}
	wanted, before := s.serves, ""
	if len(s.before) > 0 {
		before = s.before[len(s.before)-1]
	}
	undone := changed != nil && !f.dies && !strings.Contains(changed.Error(), "could not be undone") && !strings.Contains(changed.Error(), "the deletion goes on")
	switch {
	case changed == nil && serves != wanted:
		return fmt.Errorf("it succeeded, and %q serves", serves)
	case undone && serves != before:
		return fmt.Errorf("it said %w, and %q serves", changed, serves)
	}
	// The next list of another provider settles it.
	if _, err := other.List(ctx, fc.name.Namespace); err != nil {
		return fmt.Errorf("list: %w", err)
	}
	list, err := other.List(ctx, fc.name.Namespace)
	if err != nil {
		return fmt.Errorf("second list: %w", err)
	}
	settled, err := c.served(ctx, fc)
	if err != nil {
		return err
	}
	if settled != before && settled != wanted {
		return fmt.Errorf("after a list %q serves (the change: %w)", settled, orNothing(changed))
	}
	if err := c.orphans(ctx, fc, settled, list); err != nil {
		return fmt.Errorf("%w (the change: %w; serves %q)", err, orNothing(changed), settled)
	}
	// And the same change works now.
	if err := s.change(ctx, other, fc); err != nil && !(s.serves == "" && errors.Is(err, backend.ErrNotFound)) && !(strings.HasPrefix(s.name, "rollback") && settled == "older") {
		return fmt.Errorf("repeat the change: %w (at first: %w)", err, orNothing(changed))
	}
	if serves, err = c.served(ctx, fc); err != nil || serves != wanted {
		return fmt.Errorf("after a repetition %q serves, %w", serves, err)
	}
	if wanted != "" {
		if err := other.Delete(ctx, fc.name); err != nil {
			return fmt.Errorf("delete at the end: %w", err)
		}
	}
	return c.orphans(ctx, fc, "", nil)
}

var errNone = errors.New("it succeeded")

// orNothing is err for a message.
func orNothing(err error) error {
	if err == nil {
		return errNone
	}
	return err
}
