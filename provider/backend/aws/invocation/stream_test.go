package invocation

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/envelope"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/invocation/invocationtest"
)

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []invocationtest.Event
		code   int
		body   string
	}{
		{"at once", []invocationtest.Event{chunk(`{"statusCode":201}` + nul + "body"), end("{}")}, 201, "body"},
		{"in pieces", []invocationtest.Event{chunk(`{"status`), chunk(`Code":201}` + nul[:3]), chunk(nul[3:]), chunk("bo"), chunk("dy"), end("{}")}, 201, "body"},
		{"NULs in the body", []invocationtest.Event{chunk(`{}` + nul + nul + "x"), chunk(nul), end("{}")}, 200, nul + "x" + nul},
		{"no body", []invocationtest.Event{chunk(`{"statusCode":204}` + nul), end("{}")}, 204, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, body, err := call(t, newSender(t, streams(c.events...)))
			if err != nil || answer.StatusCode != c.code || body != c.body {
				t.Errorf("%+v %q, %v", answer, body, err)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	exit := `{"ErrorCode":"Runtime.ExitError","ErrorDetails":"{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"exit status 127\"}"}`
	timeout := `{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorMessage\":\"2026-11-23T00:00:00Z id Task timed out after 1.00 seconds\"}"}`
	for _, c := range []struct {
		name string
		h    http.HandlerFunc
		kind error // nil: a backend.FunctionError
		says string
	}{
		{"crash", streams(end(exit)), nil, "Runtime.ExitError: exit status 127"},
		{"crash with an error document", streams(chunk(`{"errorType":"Runtime.ExitError"}`), end(exit)), nil, "exit status 127"},
		{"plain details", streams(end(`{"ErrorCode":"Unhandled","ErrorDetails":"why"}`)), nil, "Unhandled: why"},
		{"crash in the metadata", streams(chunk(`{"sta`), end(exit)), nil, "exit status 127"},
		{"timeout", streams(end(timeout)), backend.ErrTimeout, "timed out after 1.00"},
		{"no metadata", streams(chunk(`hello`), end("{}")), nil, "metadata"},
		{"endless metadata", streams(chunk(strings.Repeat("x", envelope.MaxMetadata+1)), chunk(nul), end("{}")), nil, "longer than"},
		{"nothing", streams(end("{}")), nil, "metadata"},
		{"connection cut", streams(chunk(`{}`)), io.ErrUnexpectedEOF, "invoke function hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := call(t, newSender(t, c.h))
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v and %q", err, c.kind, c.says)
			}
			var failed *backend.FunctionError
			if c.kind == nil && !errors.As(err, &failed) {
				t.Errorf("%v is no FunctionError", err)
			}
		})
	}
}

func TestAnswersThatFailInTheMiddle(t *testing.T) {
	s := newSender(t, streams(chunk(`{}`+nul+"half"), end(`{"ErrorCode":"Runtime.ExitError","ErrorDetails":"died"}`)))
	answer, body, err := call(t, s)
	var failed *backend.FunctionError
	if answer == nil || body != "half" || !errors.As(err, &failed) {
		t.Errorf("%v, %q, %v", answer, body, err)
	}
}
