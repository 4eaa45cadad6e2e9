package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/invocation"
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
	if s, ok := answer.Body.(*invocation.Stream); ok {
		s.OnClose(func(err error) { span.end(answer.StatusCode, err) })
	} else {
		span.end(answer.StatusCode, nil)
	}
	return answer, nil
}

// invokeOn invokes once it is known what.
func (b *Backend) invokeOn(ctx context.Context, to target, r *http.Request) (*http.Response, error) {
	if err := backend.Uncallable(r); err != nil {
		return nil, fmt.Errorf("%s: %w", to.Doing(), err)
	}
	event := backend.Async(r)
	sent, err := b.payloadFor(ctx, to, r, event)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", to.Doing(), err)
	}
	defer sent.Release()
	ctx, cancel := context.WithCancel(ctx)
	begin := time.Now()
	answer, err := to.account.sender.Send(ctx, invocation.Call{Target: to.Target, Payload: sent, Event: event, Trace: traceHeader(ctx, r)}, b.opts.ReadyWait)
	b.observe.called("Lambda", operationOf(event), begin, err)
	if err != nil {
		err = b.refused(ctx, to, err)
		cancel()
		sent.Discard(ctx)
		return nil, err
	}
	if event {
		defer cancel()
		return invocation.Accepted(r, answer), nil
	}
	s := invocation.NewStream(to.Target, answer, func() {
		cancel()
		sent.Discard(ctx)
	})
	if to.adopted {
		return s.Raw(r)
	}
	m, err := s.Metadata()
	if err != nil {
		return nil, err
	}
	if m.FaasLambda.ColdStart {
		b.observe.coldStart(to.Name)
	}
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

// refused is what it means that Lambda did not accept an invocation.
func (b *Backend) refused(ctx context.Context, to target, err error) error {
	notReady := invocation.NotReady(err)
	err = awserr.Wrap(to.Doing(), err)
	switch {
	case errors.Is(err, backend.ErrNotFound):
		b.cache.forget(to.Name)
		if f, lookErr := b.get(ctx, to.Name); lookErr == nil {
			return &backend.Throttled{After: retryLater, Err: backend.Errorf(backend.ErrUnavailable, "%s: %s", to.Doing(), f.unserved())}
		}
		return backend.NotFound(to.Name) // deleted by somebody else
	case notReady:
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
