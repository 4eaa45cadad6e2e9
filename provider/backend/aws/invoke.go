package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/envelope"
)

// Invoke implements backend.Invoker: the request becomes one event, and the
// answer comes as a stream that begins with its status and headers. A function
// that others made gets the request's body as it is and its answer is the body
// of a 200. With backend.AsyncHeader the answer is a 202, made as soon as Lambda
// has queued the event.
func (b *Backend) Invoke(ctx context.Context, name backend.Name, r *http.Request) (*http.Response, error) {
	to, err := b.target(ctx, name)
	if err != nil {
		return nil, err
	}
	ctx, span := startSpan(ctx, to)
	answer, err := b.invokeOn(ctx, to, r)
	if err != nil {
		b.observe.refused(name, err)
		span.end(0, err)
		return nil, err
	}
	if s, ok := answer.Body.(*stream); ok {
		s.over = func(err error) { span.end(answer.StatusCode, err) }
	} else {
		span.end(answer.StatusCode, nil)
	}
	return answer, nil
}

// invokeOn invokes once it is known what.
func (b *Backend) invokeOn(ctx context.Context, to target, r *http.Request) (*http.Response, error) {
	if err := backend.Uncallable(r); err != nil {
		return nil, fmt.Errorf("%s: %w", to.doing(), err)
	}
	event := backend.Async(r)
	sent, err := b.payloadFor(ctx, to, r, event)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", to.doing(), err)
	}
	defer sent.Release()
	ctx, cancel := context.WithCancel(ctx)
	begin := time.Now()
	answer, err := b.whenReady(ctx, to, call{
		function: to.function, qualifier: to.qualifier, payload: sent, event: event, trace: traceHeader(ctx, r),
	})
	b.observe.called("Lambda", operationOf(event), begin, err)
	if err != nil {
		err = b.refused(ctx, to, err)
		cancel()
		sent.Discard(ctx)
		return nil, err
	}
	if event {
		defer cancel()
		return accepted(r, answer)
	}
	s := newStream(to, answer, func() {
		cancel()
		sent.Discard(ctx)
	})
	if to.adopted {
		return s.raw(r)
	}
	// The functions here are our bootstrap's, which answers an event with our
	// envelope by metadata and body; only a failed invocation has none.
	m, rest, err := envelope.ReadMetadata(s.take)
	if err != nil {
		_ = s.Close() // err says more
		return nil, err
	}
	if m.FaasLambda.ColdStart {
		b.observe.coldStart(to.name)
	}
	s.chunk = rest
	out := m.Response(s)
	out.Request = r
	return out, nil
}

func operationOf(event bool) string {
	if event {
		return "Invoke"
	}
	return "InvokeWithResponseStream"
}

// whenReady invokes, and again for a moment when the function cannot take
// invocations yet: it is being made or restored, and nothing has run
// (docs.aws.amazon.com/lambda, "Lambda function states").
func (b *Backend) whenReady(ctx context.Context, to target, c call) (*http.Response, error) {
	deadline := time.Now().Add(b.opts.ReadyWait)
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		answer, err := to.account.caller.invoke(ctx, c)
		if err == nil || !notReady[refusedBy(err)] || time.Now().Add(wait).After(deadline) {
			return answer, err
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// notReady are the codes of a function that will soon take invocations.
var notReady = map[string]bool{
	"ResourceConflictException":     true, // Pending or Inactive
	"ResourceNotReadyException":     true, // Inactive, with a VPC
	"SnapStartNotReadyException":    true, //
	"SnapStartTimeoutException":     true, //
	"EFSMountConnectivityException": false,
}

// refused is what it means that Lambda did not accept an invocation.
func (b *Backend) refused(ctx context.Context, to target, err error) error {
	code := refusedBy(err)
	err = awserr.Wrap(to.doing(), err)
	switch {
	case errors.Is(err, backend.ErrNotFound):
		b.cache.forget(to.name)
		if f, lookErr := b.get(ctx, to.name); lookErr == nil {
			return &backend.Throttled{After: retryLater, Err: backend.Errorf(backend.ErrUnavailable, "%s: %s", to.doing(), f.unserved())}
		}
		return backend.NotFound(to.name) // deleted by somebody else
	case notReady[code]:
		return &backend.Throttled{After: retryLater, Err: backend.As(backend.ErrUnavailable, err)}
	}
	return err
}

// unserved is why a function that is there has no version that serves.
func (f *found) unserved() string {
	switch f.state() {
	case creating:
		return "its first deployment is not finished"
	case removing:
		return "it is being deleted"
	}
	return "the alias " + liveAlias + " is gone, which another tool removed: deploy it again"
}

// retryLater is when to ask again for a function that did not become ready in
// the time that a request waits.
const retryLater = 5 * time.Second

// accepted is the answer to an invocation that nobody waits for.
func accepted(r *http.Request, answer *http.Response) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxRefusal)) // empty
	_ = answer.Body.Close()
	header := http.Header{}
	if id := answer.Header.Get("X-Amzn-Requestid"); id != "" {
		header.Set(requestIDHeader, id)
	}
	return &http.Response{StatusCode: http.StatusAccepted, Header: header, Body: http.NoBody, Request: r}, nil
}

// requestIDHeader carries Lambda's own id of an invocation, under which its log
// lines are found.
const requestIDHeader = "X-Amzn-Requestid"
