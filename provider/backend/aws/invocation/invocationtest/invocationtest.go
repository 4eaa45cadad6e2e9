// Package invocationtest answers invocations as Lambda does, for tests.
package invocationtest

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// NUL is what lies between the metadata and the body of an answer.
const NUL = "\x00\x00\x00\x00\x00\x00\x00\x00"

// Event is one of an answer: its type and its payload.
type Event [2]string

// Chunk is some of what a function answers.
func Chunk(s string) Event { return Event{"PayloadChunk", s} }

// End is the end of an invocation, in JSON.
func End(s string) Event { return Event{"InvokeComplete", s} }

// Streams answers an invocation by events, each as soon as it can.
func Streams(events ...Event) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		encoder := eventstream.NewEncoder()
		for _, e := range events {
			message := eventstream.Message{Payload: []byte(e[1])}
			message.Headers.Set(":message-type", eventstream.StringValue("event"))
			message.Headers.Set(":event-type", eventstream.StringValue(e[0]))
			message.Headers.Set(":content-type", eventstream.StringValue(map[string]string{"PayloadChunk": "application/octet-stream", "InvokeComplete": "application/json"}[e[0]]))
			if err := encoder.Encode(w, message); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// Refuse answers with an error of Lambda.
func Refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", code)
	w.Header().Set("X-Amzn-RequestId", "the-request")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"Type":"User","message":%q}`, message)
}

// OffClock answers as AWS does when its clock is off from ours: a signature that is
// too old by it, or too new, is refused.
type OffClock struct {
	Off   time.Duration // AWS's clock, of ours
	Asked atomic.Int32  // how often
	Code  string        // of the refusal
	Then  http.HandlerFunc
}

// ServeHTTP implements http.Handler.
func (o *OffClock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.Asked.Add(1)
	now := time.Now().Add(o.Off)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || now.Sub(signed).Abs() > 5*time.Minute {
		Refuse(w, http.StatusForbidden, o.Code, "Signature expired: it is now another time")
		return
	}
	o.Then(w, r)
}
