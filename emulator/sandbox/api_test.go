package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRuntimeAPIRefusals(t *testing.T) {
	s := bootSandbox(t, openHost(t), Spec{})
	const base = "/2018-06-01/runtime/"
	for _, test := range []struct{ name, request, want string }{
		{"response to another invocation", "POST " + base + "invocation/other/response", `400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`},
		{"error of another invocation", "POST " + base + "invocation/other/error", `400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`},
		{"next while running", "GET " + base + "invocation/next", `403 {"errorMessage":"State transition is not allowed","errorType":"InvalidStateTransition"}`},
		{"init error after init", "POST " + base + "init/error", `403 {"errorMessage":"State transition is not allowed","errorType":"InvalidStateTransition"}`},
		{"unknown path", "GET " + base + "nothing", "404 404 page not found"},
		{"late extension", "POST /2020-01-01/extension/register", `403 {"errorMessage":"Empty extension name","errorType":"Extension.InvalidExtensionName"}`},
		{"unknown extension", "GET /2020-01-01/extension/event/next", `403 {"errorMessage":"Unknown extension","errorType":"Extension.UnknownExtensionIdentifier"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			event, err := json.Marshal(map[string]string{"Do": "raw", "Text": test.request})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(mustInvoke(t, s, string(event))); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestInvocationHeaders(t *testing.T) {
	s := bootSandbox(t, openHost(t), Spec{})
	responses := make(chan Response, 1)
	deadline := time.Now().Add(time.Minute)
	_, err := s.Invoke(t.Context(), Invocation{
		RequestID: "id-1", Deadline: deadline, FunctionARN: "arn:x", TraceID: "Root=1", ClientContext: `{"a":1}`, CognitoIdentity: `{"b":2}`,
		Payload: []byte(`{"Do":"headers"}`),
	}, func(r Response) { responses <- r })
	if err != nil {
		t.Fatal(err)
	}
	var got http.Header
	if err := json.NewDecoder((<-responses).Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Lambda-Runtime-Aws-Request-Id": "id-1", "Lambda-Runtime-Invoked-Function-Arn": "arn:x", "Lambda-Runtime-Trace-Id": "Root=1",
		"Lambda-Runtime-Client-Context": `{"a":1}`, "Lambda-Runtime-Cognito-Identity": `{"b":2}`, "Content-Type": "application/json",
	} {
		if got.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want)
		}
	}
	if ms := got.Get("Lambda-Runtime-Deadline-Ms"); ms == "" || len(ms) != 13 {
		t.Errorf("deadline = %q", ms)
	}
}

// The first chunk arrives while the function waits for us to have it.
func TestStream(t *testing.T) {
	shake := newHandshake()
	s := bootSandbox(t, openHost(t), Spec{API: shake})
	responses := make(chan Response, 1)
	done := make(chan error, 1)
	go func() {
		_, err := s.Invoke(t.Context(), Invocation{
			RequestID: "id", Deadline: time.Now().Add(time.Minute), Payload: []byte(`{"Do":"stream","N":2,"Wait":"http://169.254.100.1:9002"}`),
		}, func(r Response) { responses <- r })
		done <- err
	}()
	r := <-responses
	if !r.Streaming || r.ContentType != "application/vnd.awslambda.http-integration-response" {
		t.Errorf("response = %+v", r)
	}
	for _, want := range []string{"chunk 0\n", "chunk 1\n"} {
		buf := make([]byte, len(want))
		if n, err := io.ReadFull(r.Body, buf); err != nil || string(buf) != want {
			t.Errorf("read %q, %v; want %q", buf[:n], err, want)
		}
		<-shake.reached
		shake.goOn <- struct{}{}
	}
	if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err == nil || err.Error() != "EOF" {
		t.Errorf("end: %d, %v", n, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStreamFailures(t *testing.T) {
	h := openHost(t)
	for _, test := range []struct {
		name, text string
		kind       FailureKind
		reusable   bool
	}{{"trailers", "break", Posted, true}, {"exit", "die", Exited, false}} {
		t.Run(test.name, func(t *testing.T) {
			s := bootSandbox(t, h, Spec{})
			body, err := invoke(t, s, `{"Do":"stream","N":1,"Text":"`+test.text+`"}`)
			f := wantFailure(t, err, test.kind)
			if test.kind == Posted && (f.Type != "Function.Broken" || string(f.Payload) != `{"errorMessage":"in the middle"}`) {
				t.Errorf("failure = %s %s", f.Type, f.Payload)
			}
			if test.kind == Posted && body != "chunk 0\n" {
				t.Errorf("body = %q", body)
			}
			if s.Reusable() != test.reusable {
				t.Errorf("reusable = %v", s.Reusable())
			}
		})
	}
}

// A caller that goes away does not stop the function.
func TestReaderLeaves(t *testing.T) {
	s := bootSandbox(t, openHost(t), Spec{})
	_, err := s.Invoke(t.Context(), Invocation{
		RequestID: "id", Deadline: time.Now().Add(time.Minute), Payload: []byte(`{"Do":"stream","N":1,"Text":"fill"}`),
	}, func(r Response) {
		if err := r.Body.Close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	mustInvoke(t, s, `{}`)
}

func TestLogLines(t *testing.T) {
	var log logLines
	s := bootSandbox(t, openHost(t), Spec{Log: log.add})
	mustInvoke(t, s, `{"Do":"print","Text":"one\ntwo\n\nthree "}`)
	s.DrainLogs()
	if got, want := log.String(), "one\ntwo\n\nthree response 202"; got != want {
		t.Errorf("log = %q, want %q", got, want)
	}
}
