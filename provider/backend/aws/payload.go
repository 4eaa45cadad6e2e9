package aws

import (
	"bytes"
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

// payload is what an invocation sends. Its bytes are taken from a pool and are
// given back when nobody reads them any more: net/http may still be sending when
// the answer has begun, and may send again what never left.
type payload struct {
	data  []byte
	refs  atomic.Int32
	after func() // called at the end; may be nil
}

// newPayload returns data with one reference, its maker's.
func newPayload(data []byte, after func()) *payload {
	p := &payload{data: data, after: after}
	p.refs.Store(1)
	return p
}

// open returns the payload as a request's body, which holds a reference until it
// is closed.
func (p *payload) open() io.ReadCloser {
	p.refs.Add(1)
	body := &payloadBody{payload: p}
	body.Reset(p.data)
	return body
}

// release gives the reference of the payload's maker back.
func (p *payload) release() {
	if p.refs.Add(-1) > 0 {
		return
	}
	putBuffer(p.data)
	p.data = nil
	if p.after != nil {
		p.after()
	}
}

type payloadBody struct {
	bytes.Reader
	payload *payload
	closed  atomic.Bool
}

func (b *payloadBody) Close() error {
	if b.closed.CompareAndSwap(false, true) {
		b.payload.release()
	}
	return nil
}

// maxPooled bounds the buffers that are kept for the next use.
const maxPooled = 256 << 10

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// getBuffer returns an empty slice, with room from earlier uses.
func getBuffer() []byte { return (*buffers.Get().(*[]byte))[:0] }

func putBuffer(data []byte) {
	if cap(data) > 0 && cap(data) <= maxPooled {
		buffers.Put(&data)
	}
}
