package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Invoke implements backend.Invoker: the request becomes one event, and the
// answer comes as a stream that begins with its status and headers.
func (b *Backend) Invoke(ctx context.Context, name backend.Name, r *http.Request) (*http.Response, error) {
	to, err := b.target(ctx, name)
	if err != nil {
		return nil, err
	}
	doing := "invoke function " + name.String()
	payload, err := encode(r, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	out, err := to.account.invoker.InvokeWithResponseStream(ctx, &lambda.InvokeWithResponseStreamInput{
		FunctionName: &to.function, Qualifier: to.qualifierPtr(), Payload: payload,
	}, ownProtocol)
	if err != nil {
		cancel()
		return nil, b.refused(doing, name, err)
	}
	s := &stream{doing: doing, events: out.GetStream(), cancel: cancel}
	// The functions here are our bootstrap's, which answers an event with our
	// envelope by metadata and body; only a failed invocation has none.
	m, err := readMetadata(s)
	if err != nil {
		_ = s.Close() // err says more
		return nil, err
	}
	answer := m.response(s)
	answer.Request = r
	return answer, nil
}

// refused is what it means that Lambda did not accept an invocation.
func (b *Backend) refused(doing string, name backend.Name, err error) error {
	err = awsError(doing, err)
	switch {
	case errors.Is(err, backend.ErrNotFound):
		b.cache.forget(name) // deleted by somebody else
		return backend.NotFound(name)
	case errors.Is(err, backend.ErrConflict):
		// Pending, or Inactive and being restored: soon it works.
		return backend.As(backend.ErrUnavailable, err)
	}
	return err
}

// stream is the body of an answer: the payload of Lambda's event stream.
type stream struct {
	doing  string
	events *lambda.InvokeWithResponseStreamEventStream
	cancel context.CancelFunc
	chunk  []byte
	err    error // what Read returns once chunk is empty
}

// next waits for the next bytes, or sets err.
func (s *stream) next() {
	for s.err == nil && len(s.chunk) == 0 {
		event, ok := <-s.events.Events()
		if !ok {
			err := s.events.Err()
			if err == nil {
				err = io.ErrUnexpectedEOF // the connection ended before the invocation
			}
			s.err = awsError(s.doing, err)
			return
		}
		switch e := event.(type) {
		case *lambdatypes.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
			s.chunk = e.Value.Payload
		case *lambdatypes.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
			s.err = io.EOF
			if code := aws.ToString(e.Value.ErrorCode); code != "" {
				s.err = functionError(s.doing, code, aws.ToString(e.Value.ErrorDetails))
			}
		}
	}
}

// functionError is what Lambda says of a failed invocation. The type is in the
// details where those are JSON, as the runtime or Lambda itself reported it;
// the code is often only "Unhandled".
func functionError(doing, code, details string) error {
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
	err := fmt.Errorf("%s: %w", doing, &backend.FunctionError{Type: d.Type, Message: d.Message})
	// Recorded on the real service: "Task timed out after 1.00 seconds".
	if d.Type == "Sandbox.Timedout" || strings.Contains(d.Message, "Task timed out after") {
		return backend.As(backend.ErrTimeout, err)
	}
	return err
}

// Read implements io.Reader. An error other than io.EOF says that the function
// did not finish its answer.
func (s *stream) Read(p []byte) (int, error) {
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
func (s *stream) Close() error {
	defer s.cancel()
	if s.err == nil {
		s.cancel()
	}
	for range s.events.Events() {
	}
	if err := s.events.Close(); err != nil && s.err == io.EOF {
		return fmt.Errorf("%s: %w", s.doing, err)
	}
	return nil
}
