package loop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/faas-lambda/faas-lambda/bootstrap/event"
	"github.com/faas-lambda/faas-lambda/bootstrap/runtimeapi"
	"github.com/faas-lambda/faas-lambda/watchdog"
)

// heldMost is the longest answer that is held to be sent whole. Lambda takes
// 6 MiB + 100 B.
const heldMost = 6<<20 + 100

var errTooLarge = fmt.Errorf("answer is longer than the %d bytes that Lambda takes", heldMost)

// heldOfError is how much of a failing response is quoted in the error.
const heldOfError = 4 << 10

// answer is an invocation's answer as an http.ResponseWriter. It writes to the
// API as the function writes, or holds the answer where its shape needs that.
type answer struct {
	ctx    context.Context // of the invocation that an answer is, as http.Request has one
	api    *runtimeapi.Client
	id     string
	event  *event.Event
	set    Settings
	stream bool // as the function writes, not held
	cold   bool // the first of the sandbox

	header http.Header
	status int // 0: not begun
	out    *runtimeapi.Response
	held   []byte
	err    error // of the API
	failed error // why the watchdog gave up, see Fail
	broken bool  // it gave up after the answer had begun

	failing bool // the status counts as a failed invocation

	body    *requestBody // of an enveloped request
	refusal error        // we answer, not the function: its request's body could not be had
}

func newAnswer(ctx context.Context, api *runtimeapi.Client, id string, e *event.Event, s Settings) *answer {
	stream := e.Shape == event.Raw || e.Shape == event.Enveloped || s.StreamURLs && e.Shape != event.ALB
	return &answer{ctx: ctx, api: api, id: id, event: e, set: s, stream: stream}
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = make(http.Header, 16)
	}
	return a.header
}

// WriteHeader begins the answer. Interim answers are not passed on: Lambda has
// no place for them.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < 200 {
		return
	}
	text := ""
	if a.spoiled() {
		status, text = a.beginRefusal()
	}
	a.status = status
	if a.failed == nil && a.set.fails(status, a.event.Source != "") {
		a.failing = true
		return // the response's body is held for the error
	}
	switch {
	case !a.stream:
	case a.event.Shape != event.Raw:
		if a.out, a.err = a.api.Respond(a.ctx, a.id, event.StreamType); a.err == nil {
			multi := a.event.Shape == event.Enveloped || a.event.Shape == event.V1
			_, a.err = a.out.Write(event.AppendPrelude(make([]byte, 0, 1024), status, a.Header(), multi, a.cold && a.event.Shape == event.Enveloped))
		}
		if a.err == nil && text != "" && a.event.Method != http.MethodHead {
			_, a.err = io.WriteString(a.out, text)
		}
	case a.failed == nil: // else there is an error to report instead
		a.out, a.err = a.api.Respond(a.ctx, a.id, a.Header().Get("Content-Type"))
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	switch {
	case a.err != nil:
		return 0, a.err
	case a.refusal != nil:
		return len(p), nil
	case a.failing:
		a.held = append(a.held, p[:min(len(p), heldOfError-len(a.held))]...)
		return len(p), nil
	case a.event.Method == http.MethodHead && a.event.Shape != event.Raw:
		return len(p), nil
	case a.stream && a.out != nil:
		var n int
		n, a.err = a.out.Write(p)
		return n, a.err
	case a.stream:
		return len(p), nil
	case len(a.held)+len(p) > heldMost:
		a.Fail(errTooLarge)
		return 0, errTooLarge
	}
	a.held = append(a.held, p...)
	return len(p), nil
}

// Flush implements http.Flusher.
func (a *answer) Flush() {
	if a.out != nil && a.err == nil {
		a.err = a.out.Flush()
	}
}

// Fail implements watchdog.Failer.
func (a *answer) Fail(err error) {
	if a.failed == nil {
		a.failed, a.broken = err, a.status != 0
	}
}

// finish sends what is left of the answer. Its error is the API's.
func (a *answer) finish() error {
	if err := a.body.failed(); err != nil && a.refusal == nil && a.status != 0 {
		a.failed, a.broken = err, true // what the function said is to a part of the request
	} else if a.failed == nil {
		a.WriteHeader(http.StatusOK)
	}
	switch {
	case a.failing:
		text := fmt.Sprintf("the function answered %d %s: %s", a.status, http.StatusText(a.status), a.held)
		return a.api.Fail(a.ctx, a.id, runtimeapi.Failure{Type: "Function.ErrorStatus", Message: text})
	case a.out != nil && a.err == nil && a.broken:
		return a.out.Fail(failure(a.failed))
	case a.out != nil:
		return a.out.Close()
	case a.err != nil:
		return a.err
	case a.failed != nil && (a.broken || a.event.Shape == event.Raw):
		return a.api.Fail(a.ctx, a.id, failure(a.failed))
	}
	return a.api.RespondWhole(a.ctx, a.id, "application/json", event.Whole(a.event, a.status, a.header, a.held)...)
}

// failure names why the watchdog gave up.
func failure(err error) runtimeapi.Failure {
	f := runtimeapi.Failure{Type: "Function.RequestFailed", Message: err.Error()}
	switch {
	case errors.Is(err, errTooLarge):
		f.Type = "Function.ResponseSizeTooLarge"
	case errors.Is(err, errBody):
		f.Type = "Function.RequestBodyUnavailable"
	case errors.Is(err, watchdog.ErrTimeout):
		f.Type = "Function.Timeout"
	case errors.Is(err, watchdog.ErrStart):
		f.Type = "Function.StartFailed"
	case errors.Is(err, watchdog.ErrExited):
		f.Type = "Function.ProcessExited"
	}
	return f
}
