package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

func tailOf(t testing.TB, out *lambda.InvokeOutput) string {
	t.Helper()
	tail, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil {
		t.Fatal(err)
	}
	return string(tail)
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("echo", nil)
	cold := tailOf(t, h.Invoke("echo", `{}`))
	warm := h.Invoke("echo", `{"Do":"print","Text":"hello\n"}`)
	if got := string(warm.Payload); got != `{"Do":"print","Text":"hello\n"}` || warm.FunctionError != nil || aws.ToString(warm.ExecutedVersion) != "$LATEST" {
		t.Errorf("answer = %q %q %q", got, aws.ToString(warm.FunctionError), aws.ToString(warm.ExecutedVersion))
	}
	const id = `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`
	const ms = `\d+\.\d\d ms\t`
	reportLine := `REPORT RequestId: ` + id + `\tDuration: ` + ms + `Billed Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: \d+ MB\t`
	for _, test := range []struct{ name, log, want string }{
		{"cold", cold, `^INIT_START Runtime Version: .*\nSTART RequestId: ` + id + ` Version: \$LATEST\nresponse 202\nEND RequestId: ` + id + `\n` + reportLine + `Init Duration: ` + ms + `\n$`},
		{"warm", tailOf(t, warm), `^START RequestId: ` + id + ` Version: \$LATEST\nhello\nresponse 202\nEND RequestId: ` + id + `\n` + reportLine + `\n$`},
	} {
		if !regexp.MustCompile(test.want).MatchString(test.log) {
			t.Errorf("%s log:\n%s", test.name, test.log)
		}
	}
	if got := h.Log.String(); !strings.Contains(got, "\necho: hello\n") {
		t.Errorf("log output:\n%s", got)
	}
}

func TestInvokeFailures(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	h.Deploy("hasty", func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(2) })
	for _, test := range []struct{ name, payload, want, log string }{
		{"posted", `{"Do":"fail","Text":"no"}`, `^{"errorMessage":"no","errorType":"errorString"}$`, `\tStatus: error\tError Type: Function.Failed\t`},
		{"exit", `{"Do":"exit","N":5}`, `^{"errorType":"Runtime.ExitError","errorMessage":"RequestId: \S+ Error: Runtime exited with error: exit status 5"}$`, `\tStatus: error\tError Type: Runtime.ExitError\t`},
		{"exit 0", `{"Do":"exit"}`, `^{"errorType":"Runtime.ExitError","errorMessage":"RequestId: \S+ Error: Runtime exited without providing a reason"}$`, `Status: error`},
		{"timeout", `{"Do":"sleep","N":60000}`, `^{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: \S+ Error: Task timed out after 2.00 seconds"}$`, `Z \S+ Task timed out after 2.00 seconds\n(.|\n)*Duration: ([2-9]|\d\d)\d\d\d\.\d\d ms(.|\n)*\tStatus: timeout\t`},
		{"after the timeout", `{"Do":"nothing"}`, `^{"Do":"nothing"}$`, `Init Duration`},
		{"too large", fmt.Sprintf(`{"Do":"big","N":%d}`, sandbox.MaxResponse+1), `^{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size \(6291556 bytes\)."}$`, `response 413`},
		{"streamed too large", `{"Do":"stream","Text":"fill"}`, `Function.ResponseSizeTooLarge`, ``},
		{"breaks in the middle", `{"Do":"stream","N":1,"Text":"break"}`, `^{"errorMessage":"in the middle"}$`, ``},
		{"dies in the middle", `{"Do":"stream","N":1,"Text":"die"}`, `exit status 7`, ``},
		{"streamed", `{"Do":"stream","N":2}`, "^chunk 0\nchunk 1\n$", ``},
	} {
		t.Run(test.name, func(t *testing.T) {
			function := "f"
			if strings.Contains(test.name, "timeout") {
				function = "hasty"
			}
			out := h.Invoke(function, test.payload)
			if !regexp.MustCompile(test.want).Match(out.Payload) {
				t.Errorf("answer = %.300s", out.Payload)
			}
			wantFailed := !strings.HasPrefix(test.want, `^{"Do"`) && !strings.HasPrefix(test.want, "^chunk")
			if failed := aws.ToString(out.FunctionError) == "Unhandled"; failed != wantFailed || out.StatusCode != 200 {
				t.Errorf("function error = %q, status %d", aws.ToString(out.FunctionError), out.StatusCode)
			}
			if tail := tailOf(t, out); !regexp.MustCompile(test.log).MatchString(tail) {
				t.Errorf("log:\n%s", tail)
			}
		})
	}
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	if !h.host.MemoryLimited() {
		t.Log("no memory cgroup here: nothing to see")
		return
	}
	h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.MemorySize = aws.Int32(128) })
	out := h.Invoke("f", `{"Do":"eat","N":300}`)
	if !strings.Contains(string(out.Payload), "Runtime exited with error: signal: killed") || !strings.Contains(string(out.Payload), "Runtime.ExitError") {
		t.Errorf("answer = %s", out.Payload)
	}
	if tail := tailOf(t, out); !strings.Contains(tail, "Max Memory Used: 128 MB") || !strings.Contains(tail, "Error Type: Runtime.OutOfMemory") {
		t.Errorf("log:\n%s", tail)
	}
}

func TestInitFailures(t *testing.T) {
	t.Parallel()
	patient, hasty := start(t, Options{}), start(t, Options{})
	hasty.initTimeout = 2 * time.Second
	for _, test := range []struct {
		name, init, want string
		code             []byte
		runtime          types.Runtime
		inits            int // how many starts the log tells of
	}{
		{"exits", "exit", `Runtime exited with error: exit status 3`, nil, types.RuntimeProvidedal2023, 2},
		{"errs", "error", `{"errorMessage":"bad config","errorType":"Function.Config"}`, nil, types.RuntimeProvidedal2023, 2},
		{"hangs", "hang", `Task timed out after 1.00 seconds`, nil, types.RuntimeProvidedal2023, 2},
		{"nobootstrap", "", `Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]`, lambdatest.Zip(t, map[string][]byte{"f": nil}), types.RuntimeProvidedal2023, 2},
		{"python", "", `custom runtimes only (provided.al2023, provided.al2), not python3.12`, nil, types.RuntimePython312, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, timeout := lambdatest.Client{Lambda: patient.Lambda, T: t}, int32(20)
			if test.init == "hang" {
				h.Lambda, timeout = hasty.Lambda, 1
			}
			h.Deploy(test.name, func(in *lambda.CreateFunctionInput) {
				in.Timeout, in.Runtime = &timeout, test.runtime
				in.Environment = &types.Environment{Variables: map[string]string{"INIT": test.init}}
				if test.code != nil {
					in.Code = zipCode(test.code)
				}
			})
			out := h.Invoke(test.name, `{}`)
			if !strings.Contains(string(out.Payload), test.want) || out.FunctionError == nil {
				t.Errorf("answer = %s", out.Payload)
			}
			if tail := tailOf(t, out); strings.Count(tail, "INIT_REPORT") != test.inits {
				t.Errorf("log:\n%s", tail)
			}
		})
	}
}

// A function that fails to start once is started again within its first invocation.
func TestInitAgain(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	var again atomic.Bool
	h.opts.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !again.Swap(true) {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"INIT": "exit-once"}}
	})
	out := h.Invoke("f", `"hi"`)
	if string(out.Payload) != `"hi"` || out.FunctionError != nil {
		t.Errorf("answer = %s", out.Payload)
	}
	if tail := tailOf(t, out); strings.Count(tail, "INIT_REPORT") != 1 || !strings.Contains(tail, "Phase: init\tStatus: error\tError Type: Runtime.ExitError") {
		t.Errorf("log:\n%s", tail)
	}
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	invoke := func(in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
		in.FunctionName = aws.String("f")
		return h.Lambda.Invoke(t.Context(), in)
	}
	t.Run("none", func(t *testing.T) {
		out, err := invoke(&lambda.InvokeInput{})
		if err != nil || string(out.Payload) != "{}" {
			t.Errorf("answer = %v, %v", out, err)
		}
	})
	t.Run("largest", func(t *testing.T) {
		payload := []byte(`"` + strings.Repeat("x", maxSyncPayload-2) + `"`)
		out, err := invoke(&lambda.InvokeInput{Payload: payload})
		if err != nil || len(out.Payload) != len(payload) {
			t.Errorf("error = %v", err)
		}
	})
	for _, test := range []struct {
		name, payload, code, message string
		kind                         types.InvocationType
	}{
		{"too large", `"` + strings.Repeat("x", maxSyncPayload) + `"`, "RequestTooLargeException", "6291458 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)", ""},
		{"too large for Event", `"` + strings.Repeat("x", maxAsyncPayload) + `"`, "RequestTooLargeException", "for the Event invocation type (limit 1048576 bytes)", types.InvocationTypeEvent},
		{"a word", `hello`, "InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: Unrecognized token 'hello': was expecting", ""},
		{"cut off", `{"a":`, "InvalidRequestContentException", "Unexpected end-of-input", ""},
		{"wrong character", `{"a":}`, "InvalidRequestContentException", "Unexpected character ('}' (code 125))", ""},
		{"not JSON, Event", `hello`, "InvalidRequestContentException", "Could not parse", types.InvocationTypeEvent},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := invoke(&lambda.InvokeInput{Payload: []byte(test.payload), InvocationType: test.kind})
			lambdatest.WantError(t, err, test.code, test.message)
		})
	}
	t.Run("client context", func(t *testing.T) {
		out, err := invoke(&lambda.InvokeInput{Payload: []byte(`{"Do":"headers"}`), ClientContext: aws.String(base64.StdEncoding.EncodeToString([]byte(`{"client":1}`)))})
		if err != nil {
			t.Fatal(err)
		}
		var headers http.Header
		if err := json.Unmarshal(out.Payload, &headers); err != nil {
			t.Fatal(err)
		}
		if got := headers.Get("Lambda-Runtime-Client-Context"); got != `{"client":1}` {
			t.Errorf("client context = %q", got)
		}
		if got := headers.Get("Lambda-Runtime-Trace-Id"); !regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$`).MatchString(got) {
			t.Errorf("trace id = %q", got)
		}
		_, err = invoke(&lambda.InvokeInput{ClientContext: aws.String("no base64!")})
		lambdatest.WantError(t, err, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.")
	})
	t.Run("dry run", func(t *testing.T) {
		out, err := invoke(&lambda.InvokeInput{InvocationType: types.InvocationTypeDryRun})
		if err != nil || out.StatusCode != 204 {
			t.Errorf("answer = %v, %v", out, err)
		}
	})
}

// A client that leaves does not stop the function.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	s := shake(h)
	h.Deploy("f", nil)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := h.TryInvoke(ctx, "f", `{"Do":"get","Wait":"`+inside+`/first"}`)
		failed <- err
	}()
	<-s.reached
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	s.goOn <- struct{}{}
	// The sandbox is free again once the first invocation has run to its end; only then is there an idle one to take.
	h.idle(post{"f", latest})
	if got := h.Invoke("f", `1`); string(got.Payload) != "1" || strings.Contains(tailOf(t, got), "Init Duration") {
		t.Errorf("answer = %s\n%s", got.Payload, tailOf(t, got))
	}
}

func TestEvent(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.retryDelays = []delay{1, 1}
	h.Deploy("f", nil)
	out, err := h.Lambda.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"Do":"fail","Text":"no"}`)})
	if err != nil || out.StatusCode != 202 || len(out.Payload) != 0 {
		t.Fatalf("answer = %v, %v", out, err)
	}
	lambdatest.WaitFor(t, "three attempts", func() bool { return strings.Count(h.Log.String(), "REPORT") == 3 })
	_, err = h.Lambda.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("g"), InvocationType: types.InvocationTypeEvent})
	lambdatest.WantError(t, err, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:g:$LATEST")
}
