package lambda

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// handshake is an API inside the sandboxes by which a function tells the test where it is and waits for it.
type handshake struct {
	reached chan string
	goOn    chan struct{}
}

func shake(h *harness) *handshake {
	s := &handshake{reached: make(chan string), goOn: make(chan struct{})}
	h.opts.API = s
	return s
}

func (s *handshake) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	select {
	case s.reached <- r.URL.Path:
	case <-r.Context().Done():
		return
	}
	select {
	case <-s.goOn:
	case <-r.Context().Done():
	}
}

const inside = "http://169.254.100.1:9002"

// Each chunk is at the client while the function waits for it to be there.
func TestStream(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	s := shake(h)
	h.Deploy("f", nil)
	out, err := h.Lambda.InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{
		FunctionName: aws.String("f"), Payload: []byte(`{"Do":"stream","N":3,"Wait":"` + inside + `"}`), LogType: types.LogTypeTail,
	})
	if err != nil {
		t.Fatal(err)
	}
	events := out.GetStream().Events()
	for i := range 3 {
		chunk, ok := (<-events).(*types.InvokeWithResponseStreamResponseEventMemberPayloadChunk)
		if !ok || string(chunk.Value.Payload) != fmt.Sprintf("chunk %d\n", i) {
			t.Fatalf("event %d = %+v", i, chunk)
		}
		<-s.reached
		s.goOn <- struct{}{}
	}
	end, ok := (<-events).(*types.InvokeWithResponseStreamResponseEventMemberInvokeComplete)
	if !ok || end.Value.ErrorCode != nil {
		t.Fatalf("end = %+v", end)
	}
	if tail, err := base64.StdEncoding.DecodeString(aws.ToString(end.Value.LogResult)); err != nil || !strings.Contains(string(tail), "REPORT") {
		t.Errorf("log = %q, %v", tail, err)
	}
	if err := out.GetStream().Close(); err != nil {
		t.Error(err)
	}
}

func TestStreamEnds(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	h.Deploy("hasty", func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(1) })
	for _, test := range []struct{ name, payload, body, code, details string }{
		{"buffered runtime", `{"a":1}`, `{"a":1}`, "", ""},
		{"function error", `{"Do":"fail","Text":"no"}`, "", "Unhandled", `{"errorMessage":"no","errorType":"errorString"}`},
		{"timeout", `{"Do":"sleep","N":60000}`, "", "Unhandled", "Task timed out after 1.00 seconds"},
		{"breaks in the middle", `{"Do":"stream","N":1,"Text":"break"}`, "chunk 0\n", "Unhandled", "in the middle"},
		{"dies in the middle", `{"Do":"stream","N":1,"Text":"die"}`, "", "Unhandled", "Runtime exited with error: exit status 7"},
		{"more than 6 MB", `{"Do":"stream","Text":"fill"}`, strings.Repeat("\x00", 7<<20), "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			function := "f"
			if test.name == "timeout" {
				function = "hasty"
			}
			out, err := h.Lambda.InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{FunctionName: &function, Payload: []byte(test.payload)})
			if err != nil {
				t.Fatal(err)
			}
			var body strings.Builder
			var end types.InvokeWithResponseStreamCompleteEvent
			for e := range out.GetStream().Events() {
				switch e := e.(type) {
				case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
					body.Write(e.Value.Payload)
				case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
					end = e.Value
				}
			}
			if err := out.GetStream().Err(); err != nil {
				t.Fatal(err)
			}
			if body.String() != test.body && test.name != "dies in the middle" {
				t.Errorf("body has %d bytes, want %d", body.Len(), len(test.body))
			}
			if aws.ToString(end.ErrorCode) != test.code || !strings.Contains(aws.ToString(end.ErrorDetails), test.details) {
				t.Errorf("end = %s %s", aws.ToString(end.ErrorCode), aws.ToString(end.ErrorDetails))
			}
		})
	}
}
