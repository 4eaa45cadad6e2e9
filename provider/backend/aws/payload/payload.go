// Package payload makes of a request what an invocation sends: the event with the body
// in it, compressed where it does not fit as it is, or the address of a body that lies
// elsewhere; within a budget of memory. It calls nothing of AWS: whoever has a bucket
// tells how a body gets there.
package payload

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
)

// Limits of an invocation's payload in bytes: 6 MiB and a little for one that is
// waited for (recorded on the real service), 1 MiB for one that is queued
// (docs.aws.amazon.com/lambda, "Lambda quotas").
const (
	maxPayload = 6_291_556
	maxQueued  = 1 << 20
)

// Payload is what an invocation sends. Its bytes are taken from a pool and are
// given back when nobody reads them any more: net/http may still be sending when
// the answer has begun, and may send again what never left.
type Payload struct {
	data    []byte
	refs    atomic.Int32
	after   func()                // called at the end; may be nil
	discard func(context.Context) // removes a body that lies elsewhere; may be nil
}

// New returns a payload of data, which is the payload's from then on, with one
// reference, its maker's. after is called when the last one is released; it may be nil.
func New(data []byte, after func()) *Payload {
	p := &Payload{data: data, after: after}
	p.refs.Store(1)
	return p
}

// Bytes returns what is sent. It is valid until Release, and not to be changed.
func (p *Payload) Bytes() []byte { return p.data }

// Open returns the payload as a request's body, which holds a reference until it
// is closed.
func (p *Payload) Open() io.ReadCloser {
	p.refs.Add(1)
	body := &reader{payload: p}
	body.Reset(p.data)
	return body
}

// Release gives the reference of the payload's maker back.
func (p *Payload) Release() {
	if p.refs.Add(-1) > 0 {
		return
	}
	PutBuffer(p.data)
	p.data = nil
	if p.after != nil {
		p.after()
	}
}

// Discard removes what was kept elsewhere for the payload, if anything was. It is for
// when the invocation is over, and may follow Release.
func (p *Payload) Discard(ctx context.Context) {
	if p.discard != nil {
		p.discard(ctx)
	}
}

type reader struct {
	bytes.Reader
	payload *Payload
	closed  atomic.Bool
}

func (r *reader) Close() error {
	if r.closed.CompareAndSwap(false, true) {
		r.payload.Release()
	}
	return nil
}

// maxPooled bounds the buffers that are kept for the next use.
const maxPooled = 256 << 10

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// GetBuffer returns an empty slice, with room from earlier uses.
func GetBuffer() []byte { return (*buffers.Get().(*[]byte))[:0] }

// PutBuffer gives a slice that nobody uses any more to the next GetBuffer; it need not
// be of that one.
func PutBuffer(data []byte) {
	if cap(data) > 0 && cap(data) <= maxPooled {
		buffers.Put(&data)
	}
}
