// Package invocation sends invocations to Lambda and reads its answers: the one call
// whose cost counts, so that it is made by hand. It knows functions by their names
// there, does not look for them, and keeps no count of what it sends.
package invocation

import (
	"io"
	"net/http"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/payload"
)

// Target is the function that is invoked.
type Target struct {
	Name      backend.Name // for errors
	Function  string       // its name in Lambda, which is not escaped
	Qualifier string       // version or alias; empty for the unpublished function
	Group     string       // of its log, for errors
}

// Doing is what errors begin with.
func (t Target) Doing() string { return "invoke function " + t.Name.String() }

// Call is one invocation.
type Call struct {
	Target
	Payload *payload.Payload
	Event   bool   // nobody waits for the answer
	Trace   string // X-Ray's header; may be empty
}

// Accepted is the answer to an invocation that nobody waits for, made of Lambda's,
// which it closes.
func Accepted(r *http.Request, answer *http.Response) *http.Response {
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxRefusal)) // empty
	_ = answer.Body.Close()
	header := http.Header{}
	if id := answer.Header.Get(requestID); id != "" {
		header.Set(requestID, id)
	}
	return &http.Response{StatusCode: http.StatusAccepted, Header: header, Body: http.NoBody, Request: r}
}

// requestID is the header of Lambda's own id of an invocation, under which its log
// lines are found.
const requestID = "X-Amzn-Requestid"
