package loop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/event"
	"github.com/faas-lambda/faas-lambda/bootstrap/fetch"
	"github.com/faas-lambda/faas-lambda/watchdog"
)

// errBody says that a request's body could not be had as its sender announced it.
var errBody = errors.New("request body cannot be had")

// requestBody is the body of an enveloped request on its way to the function. It
// remembers what was wrong with it, whatever the function makes of that.
type requestBody struct {
	io.Reader
	ctx  context.Context // of the invocation
	from *fetch.Body     // nil when the body is in the event

	mu    sync.Mutex // guards err and ended
	err   error
	ended bool // nobody wants the rest: errors from here on are not of the body
}

// openBody makes the event's body readable: one that lies elsewhere is asked for.
// It returns nil for events that have no envelope. An error that is not of ctx
// wraps errBody.
func (l *loop) openBody(ctx context.Context, e *event.Event) (*requestBody, error) {
	if e.Shape != event.Enveloped {
		return nil, nil
	}
	b := &requestBody{ctx: ctx}
	if e.Fetch != nil {
		from, err := l.bodies.Open(ctx, e.Fetch.URL)
		if err == nil {
			b.from = from
			err = e.Receive(from, from.Length)
		}
		if err != nil {
			return b, b.failure(err)
		}
	}
	b.Reader, e.Body = e.Body, b
	return b, nil
}

// failure is errBody, or watchdog.ErrTimeout when there was no more time.
func (b *requestBody) failure(err error) error {
	if errors.Is(b.ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", watchdog.ErrTimeout, err)
	}
	return fmt.Errorf("%w: %w", errBody, err)
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF && b.ctx.Err() == nil {
		b.mu.Lock()
		if !b.ended && b.err == nil {
			b.err = b.failure(err)
		}
		b.mu.Unlock()
	}
	return n, err
}

// failed returns what was wrong with the body, as far as it was read; nil for no
// body.
func (b *requestBody) failed() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// abandon makes a Read that waits return.
func (b *requestBody) abandon() {
	if b == nil || b.from == nil {
		return
	}
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	b.from.Abort()
}

func (b *requestBody) close() error {
	if b == nil || b.from == nil {
		return nil
	}
	return b.from.Close()
}

// SetReadDeadline makes a Read of the body that waits return, as net/http's own
// writers do; a time that has not come is not supported. The watchdog calls it
// by http.ResponseController when the answer came before the body had ended.
func (a *answer) SetReadDeadline(at time.Time) error {
	if time.Until(at) > 0 {
		return http.ErrNotSupported
	}
	a.body.abandon()
	return nil
}

// spoiled turns the answer into ours when the request's body could not be had:
// what the function says to a part of it is no answer.
func (a *answer) spoiled() bool {
	if a.refusal == nil {
		a.refusal = a.body.failed()
	}
	return a.refusal != nil
}

// refuse answers in the place of the function, before which the request never
// came, or not whole.
func (a *answer) refuse(err error) {
	a.refusal = err
	a.WriteHeader(http.StatusBadGateway)
}

// beginRefusal makes the head and the body of the answer that says why.
func (a *answer) beginRefusal() (status int, text string) {
	a.Fail(a.refusal)
	status = http.StatusBadGateway
	if errors.Is(a.refusal, watchdog.ErrTimeout) {
		status = http.StatusGatewayTimeout
	}
	a.header = http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "X-Openfaas-Internal": {"bootstrap"}}
	return status, a.refusal.Error() + "\n"
}
