package invocation

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/envelope"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/eventstream"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/payload"
)

// Stream is the body of an answer: the payload of Lambda's event stream. An error of
// it says whose invocation failed; where the function failed, it is a
// backend.FunctionError or backend.ErrTimeout, which names its log lines.
type Stream struct {
	to       Target
	request  string // Lambda's id of the invocation
	body     io.ReadCloser
	messages eventstream.Reader
	end      func()
	over     func(error) // told by Close how the answer ended; may be nil
	chunk    []byte
	err      error // what Read returns once chunk is empty
	closed   bool
	kind     string // content type that Lambda names for the stream
}

// NewStream takes over the answer of a function; end is called once, by Close.
func NewStream(to Target, answer *http.Response, end func()) *Stream {
	return &Stream{
		to: to, request: answer.Header.Get(requestID), body: answer.Body, end: end,
		messages: eventstream.Reader{In: answer.Body, Buffer: payload.GetBuffer()},
		kind:     answer.Header.Get("Content-Type"),
	}
}

// OnClose has over called once, by Close, with the error that the answer ended with;
// nil for one that is complete.
func (s *Stream) OnClose(over func(error)) { s.over = over }

// next waits for the next bytes, or sets err.
func (s *Stream) next() {
	for s.err == nil && len(s.chunk) == 0 {
		m, err := s.messages.Next()
		switch {
		case err == io.EOF:
			s.err = s.failed(io.ErrUnexpectedEOF) // the connection ended before the invocation
		case err != nil:
			s.err = s.failed(err)
		case m.Kind == "event" && m.Name == "PayloadChunk":
			s.chunk = m.Payload
		case m.Kind == "event" && m.Name == "InvokeComplete":
			s.err = s.completed(m.Payload)
		case m.Kind == "exception":
			s.err = s.failed(&refusal{status: http.StatusInternalServerError, code: m.Name, message: exceptionText(m.Payload), requestID: s.request})
		case m.Kind == "error":
			s.err = s.failed(&refusal{status: http.StatusInternalServerError, code: m.Name, message: m.Text, requestID: s.request})
		}
	}
}

// take hands the next bytes over.
func (s *Stream) take() ([]byte, error) {
	s.next()
	chunk := s.chunk
	s.chunk = nil
	return chunk, s.err
}

func exceptionText(payload []byte) string {
	var in struct{ Message string }
	if err := json.Unmarshal(payload, &in); err != nil || in.Message == "" {
		return string(payload)
	}
	return in.Message
}

func (s *Stream) failed(err error) error { return awserr.Wrap(s.to.Doing(), err) }

// completed is the error of an invocation that ended so; io.EOF when it is none.
func (s *Stream) completed(payload []byte) error {
	var end struct{ ErrorCode, ErrorDetails string }
	if err := json.Unmarshal(payload, &end); err != nil {
		return s.failed(fmt.Errorf("%w: decode InvokeComplete: %w", eventstream.ErrDamaged, err))
	}
	if end.ErrorCode == "" {
		return io.EOF
	}
	return s.functionError(end.ErrorCode, end.ErrorDetails)
}

// functionError is what Lambda says of a failed invocation. The type is in the
// details where those are JSON, as the runtime or Lambda itself reported it;
// the code is often only "Unhandled". The error says where its log lines are.
func (s *Stream) functionError(code, details string) error {
	var d struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if err := json.Unmarshal([]byte(details), &d); err != nil || d.Type == "" && d.Message == "" {
		d.Message = details
	}
	if d.Type == "" {
		d.Type = code
	}
	err := fmt.Errorf("%s: %w (request %s, log group %s)", s.to.Doing(), &backend.FunctionError{Type: d.Type, Message: d.Message}, s.request, s.to.Group)
	// Recorded on the real service: "Task timed out after 1.00 seconds".
	if d.Type == "Sandbox.Timedout" || strings.Contains(d.Message, "Task timed out after") {
		return backend.As(backend.ErrTimeout, err)
	}
	return err
}

// Read implements io.Reader. An error other than io.EOF says that the function
// did not finish its answer.
func (s *Stream) Read(p []byte) (int, error) {
	s.next()
	if len(s.chunk) == 0 {
		return 0, s.err
	}
	n := copy(p, s.chunk)
	s.chunk = s.chunk[n:]
	return n, nil
}

// Close ends the invocation if it has not ended, and the connection with it.
// After a complete answer the connection is read to its end, so that it serves
// the next invocation.
func (s *Stream) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	defer s.end()
	if s.over != nil {
		s.over(s.outcome())
	}
	var err error
	if s.err == io.EOF {
		_, err = io.Copy(io.Discard, io.LimitReader(s.body, maxRefusal))
	}
	_ = s.body.Close()
	payload.PutBuffer(s.messages.Buffer)
	s.messages.Buffer, s.chunk = nil, nil
	if s.err == nil {
		s.err = context.Canceled
	}
	if err != nil {
		return fmt.Errorf("%s: end the answer: %w", s.to.Doing(), err)
	}
	return nil
}

// outcome is the error that the answer ended with; nil for one that is complete.
func (s *Stream) outcome() error {
	switch s.err {
	case io.EOF:
		return nil
	case nil:
		return context.Canceled // closed before its end
	}
	return s.err
}

// Metadata reads what the answer of our bootstrap begins with, which answers an event
// with our envelope by metadata and body; only a failed invocation has none. What
// follows is the body. An error closes the stream.
func (s *Stream) Metadata() (envelope.Metadata, error) {
	m, rest, err := envelope.ReadMetadata(s.take)
	if err != nil {
		_ = s.Close() // err says more
		return envelope.Metadata{}, err
	}
	s.chunk = rest
	return m, nil
}

// Raw is the answer of a function that is not ours: its bytes, once it is known
// that there are any. An error closes the stream.
func (s *Stream) Raw(r *http.Request) (*http.Response, error) {
	s.next()
	if len(s.chunk) == 0 && s.err != io.EOF {
		_ = s.Close() // err says more
		return nil, s.err
	}
	kind := s.kind
	if kind == "" || kind == "application/vnd.amazon.eventstream" {
		kind = "application/json" // what functions that take JSON answer
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {kind}}, ContentLength: -1, Body: s, Request: r}, nil
}
