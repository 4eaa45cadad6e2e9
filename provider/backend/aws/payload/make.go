package payload

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/envelope"
)

// Maker makes payloads, all within one budget of memory. It may be used concurrently.
type Maker struct{ budget budget }

// NewMaker returns a maker of payloads that take no more than memory bytes at a time;
// 0 is 256 MiB.
func NewMaker(memory int64) *Maker { return &Maker{newBudget(memory)} }

// Invocation is what a payload is for.
type Invocation struct {
	Queued bool        // nobody waits for the answer, and Lambda takes less
	Raw    bool        // the function knows nothing of our envelope: its event is the body, which must be JSON
	Trace  http.Header // headers that carry the trace into the function; nil for the request's own

	// Park puts a body, as it is read, where the function can fetch it; nil where
	// there is no such place. It holds no more than MaxParking of it in memory, and
	// tells an error of reading it as ErrInvalid.
	Park func(ctx context.Context, body io.Reader) (Parked, error)
}

// Parked is a body that lies elsewhere.
type Parked struct {
	URL     string                // whoever has it can read the body
	Discard func(context.Context) // removes the body; logs what goes wrong
}

// MaxParking is what Park may hold of a body in memory, in bytes.
const MaxParking = 10 << 20

// Make reads the body of r as far as the payload needs it. A body that does not fit
// travels compressed, when it can be compressed enough, or is parked; one that can
// do neither is ErrTooLarge. No more than some 16 MB of one body are in memory, and no
// more than the maker's budget of all: Make waits for it, until the payload is
// released. The caller releases the payload once it is sent, and discards it once the
// invocation is over.
func (m *Maker) Make(ctx context.Context, r *http.Request, to Invocation) (*Payload, error) {
	limit := maxPayload
	if to.Queued {
		limit = maxQueued
	}
	free, err := m.budget.reserve(ctx, r.ContentLength)
	if err != nil {
		return nil, err
	}
	p, err := makeWithin(ctx, r, to, limit, free)
	if err != nil {
		free()
	}
	return p, err
}

// makeWithin makes a payload of limit bytes at most, at whose end free is called.
func makeWithin(ctx context.Context, r *http.Request, to Invocation, limit int, free func()) (*Payload, error) {
	data, rest, err := readBody(r, limit)
	if err != nil {
		return nil, err
	}
	if to.Raw {
		return raw(data, rest != nil, limit, free)
	}
	length := int64(len(data))
	if rest != nil {
		length = r.ContentLength
	}
	e, err := envelope.New(r, length, to.Trace, time.Now())
	if err != nil {
		return nil, err
	}
	if rest == nil {
		head := e.Append(GetBuffer(), nil)
		if size := len(head) + envelope.BodySize(data); size <= limit {
			p := New(envelope.AppendBody(grow(head, size), data), free)
			PutBuffer(data)
			return p, nil
		}
		PutBuffer(head)
		rest = http.NoBody
	}
	return largeBody{park: to.Park, event: e, limit: limit, free: free}.send(ctx, data, rest)
}

// grow returns data with room for size bytes.
func grow(data []byte, size int) []byte {
	if cap(data) >= size {
		return data
	}
	return append(make([]byte, 0, size), data...)
}

// sampled is how much of a body decides whether compressing it pays.
const sampled = 256 << 10

// readBody reads the body to its end when it is no longer than limit; else rest
// is what comes after data. A body that is known to be longer is read only as
// far as to see of what kind it is.
func readBody(r *http.Request, limit int) (data []byte, rest io.Reader, err error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil, nil
	}
	want := limit + 1
	if r.ContentLength > int64(limit) {
		want = sampled
	}
	data = GetBuffer()
	if r.ContentLength > 0 {
		data = grow(data, int(min(r.ContentLength, int64(want)))+1)
	}
	for len(data) < want {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := r.Body.Read(data[len(data):min(cap(data), want)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil, nil
		}
		if err != nil {
			return nil, nil, backend.Errorf(backend.ErrInvalid, "read request body: %w", err)
		}
	}
	return data, r.Body, nil
}

// raw is the payload for a function that is not ours: the body itself.
func raw(data []byte, more bool, limit int, free func()) (*Payload, error) {
	switch {
	case more || len(data) > limit:
		return nil, backend.Errorf(backend.ErrTooLarge, "the request's body is longer than the %d bytes that Lambda takes, and functions without our bootstrap get theirs directly only", limit)
	case len(data) > 0 && !json.Valid(data):
		return nil, backend.Errorf(backend.ErrInvalid, "the request's body is not JSON, the one thing that functions without our bootstrap take")
	}
	return New(data, free), nil
}
