package lambdatest

import (
	"bytes"
	"context"
	"errors"
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

const (
	// Role is a role's ARN.
	Role = "arn:aws:iam::000000000000:role/r"
	// ARN is a function's but for its name.
	ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
	// Bucket is where S3 has the test runtime, as Object.
	Bucket = "functions"
	// Object is the key of the test runtime.
	Object = "runtime.zip"
)

// Client calls the Lambda of a test. What goes wrong ends the test.
type Client struct {
	Lambda *lambda.Client
	T      testing.TB
	Log    *Log // what functions print
}

// Log is a buffer that may be written and read at the same time.
type Log struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

// Write adds to the log.
func (b *Log) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns all of it.
func (b *Log) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// New returns a client of the Lambda at a URL.
func New(t testing.TB, url string) *Client { return &Client{T: t, Lambda: NewLambda(url), Log: &Log{}} }

// NewLambda returns the SDK's client of the Lambda at a URL, which tries once.
func NewLambda(url string) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
}

// CreateInput asks for a function of the test runtime, which the test has to put into S3.
func CreateInput(name string, environment map[string]string) *lambda.CreateFunctionInput {
	in := &lambda.CreateFunctionInput{
		FunctionName: aws.String(name), Role: aws.String(Role), Handler: aws.String("bootstrap"), Runtime: types.RuntimeProvidedal2023,
		Code: &types.FunctionCode{S3Bucket: aws.String(Bucket), S3Key: aws.String(Object)}, Timeout: aws.Int32(20), MemorySize: aws.Int32(256),
	}
	if environment != nil {
		in.Environment = &types.Environment{Variables: environment}
	}
	return in
}

// Deploy creates a function of the test runtime and waits until it is active.
func (c *Client) Deploy(name string, change func(*lambda.CreateFunctionInput)) {
	c.T.Helper()
	in := CreateInput(name, nil)
	if change != nil {
		change(in)
	}
	if _, err := c.Lambda.CreateFunction(c.T.Context(), in); err != nil {
		c.T.Fatal(err)
	}
	c.Active(name)
}

// Active waits until a function is.
func (c *Client) Active(name string) {
	c.T.Helper()
	in := &lambda.GetFunctionInput{FunctionName: aws.String(name)}
	quick := func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 5*time.Millisecond, 20*time.Millisecond
	}
	if err := lambda.NewFunctionActiveV2Waiter(c.Lambda, quick).Wait(c.T.Context(), in, 2*time.Minute); err != nil {
		c.T.Fatal(err)
	}
}

// Updated waits until the update of a function has been done.
func (c *Client) Updated(name string) {
	c.T.Helper()
	in := &lambda.GetFunctionInput{FunctionName: aws.String(name)}
	quick := func(o *lambda.FunctionUpdatedV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 5*time.Millisecond, 20*time.Millisecond
	}
	if err := lambda.NewFunctionUpdatedV2Waiter(c.Lambda, quick).Wait(c.T.Context(), in, 2*time.Minute); err != nil {
		c.T.Fatal(err)
	}
}

// Invoke invokes a function and waits for its answer.
func (c *Client) Invoke(name, payload string) *lambda.InvokeOutput {
	c.T.Helper()
	out, err := c.TryInvoke(c.T.Context(), name, payload)
	if err != nil {
		c.T.Fatal(err)
	}
	return out
}

// TryInvoke is Invoke for what may fail.
func (c *Client) TryInvoke(ctx context.Context, name, payload string) (*lambda.InvokeOutput, error) {
	return c.Lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(name), Payload: []byte(payload), LogType: types.LogTypeTail})
}

// WantError checks the code and the words of an API error.
func WantError(t testing.TB, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("error = %v, want %s", err, code)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), message) {
		t.Errorf("error = %s %q\nwant    %s %q", api.ErrorCode(), api.ErrorMessage(), code, message)
	}
}

// WaitFor polls for what happens in the background and is told to nobody but the log.
func WaitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
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

// Later invokes a function asynchronously.
func (c *Client) Later(name, payload string) {
	c.T.Helper()
	if _, err := c.Lambda.Invoke(c.T.Context(), &lambda.InvokeInput{FunctionName: &name, InvocationType: types.InvocationTypeEvent, Payload: []byte(payload)}); err != nil {
		c.T.Fatal(err)
	}
}

// Printing makes a function print what it gets, for Events.
func Printing() func(*lambda.CreateFunctionInput) {
	return func(in *lambda.CreateFunctionInput) { in.Environment = Vars("PRINT", "1") }
}

// Events are the payloads that a function that is Printing has got.
func (c *Client) Events() []string {
	var all []string
	for line := range strings.Lines(c.Log.String()) {
		if _, payload, ok := strings.Cut(strings.TrimSpace(line), "got "); ok {
			all = append(all, payload)
		}
	}
	return all
}

// MappingIs waits until an event source mapping is in a state.
func (c *Client) MappingIs(id *string, state string) {
	c.T.Helper()
	WaitFor(c.T, "a mapping that is "+state, func() bool {
		out, err := c.Lambda.GetEventSourceMapping(c.T.Context(), &lambda.GetEventSourceMappingInput{UUID: id})
		return err == nil && *out.State == state
	})
}

// Vars is an environment of one variable.
func Vars(name, value string) *types.Environment {
	return &types.Environment{Variables: map[string]string{name: value}}
}

// Permission lets a service invoke the function f.
func Permission(sid, principal string) *lambda.AddPermissionInput {
	return &lambda.AddPermissionInput{FunctionName: aws.String("f"), StatementId: &sid, Action: aws.String("lambda:InvokeFunction"), Principal: &principal}
}

// Reserve sets a function's reserved concurrency.
func (c *Client) Reserve(name string, n int32) error {
	_, err := c.Lambda.PutFunctionConcurrency(c.T.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String(name), ReservedConcurrentExecutions: aws.Int32(n)})
	return err
}
