package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// heldMost is the largest event of unknown length that is held: far more than
// Lambda passes on (6 MiB).
const heldMost = 32 << 20

// Decoder reads events one after another. It keeps its buffer between them.
type Decoder struct {
	buf []byte
}

// known are the members of an HTTP request event, of any version. An event that
// does not show its nature within the window is held only while it could
// still be one.
var known = map[string]bool{
	"version": true, "routeKey": true, "rawPath": true, "rawQueryString": true, "cookies": true, "headers": true,
	"queryStringParameters": true, "pathParameters": true, "stageVariables": true, "requestContext": true,
	"body": true, "isBase64Encoded": true, "faasLambda": true,
	"resource": true, "path": true, "httpMethod": true, "multiValueHeaders": true, "multiValueQueryStringParameters": true,
}

// Read parses the event that r holds, length bytes or -1. The Event's body
// reads from r and from the Decoder's buffer: the Decoder must not be used again
// before that is done. An error wraps ErrInvalid, or is one of r.
func (d *Decoder) Read(r io.Reader, length int64) (*Event, error) {
	if d.buf == nil {
		d.buf = make([]byte, 0, windowSize)
	}
	w := &window{r: r, buf: d.buf[:0]}
	f := &fields{}
	w.grow = func() bool { return f.mayBeHTTP() && w.enlarge(length) }
	err := f.read(w)
	switch {
	case w.err != nil:
		return nil, fmt.Errorf("read event: %w", w.err)
	case errors.Is(err, ErrInvalid):
		return nil, err
	case err == errFull && f.streamable():
		return f.event(&streamed{w: w, base64: f.base64}, f.bodyLength())
	case err != nil || !f.isHTTP():
		return raw(w, length), nil
	}
	body, err := held(f.bodyIn(w), f.base64)
	if err != nil {
		return nil, err
	}
	return f.event(newBytes(body), int64(len(body)))
}

func newBytes(b []byte) io.Reader { return bytes.NewReader(b) }

// raw returns the event as it came: what the window has of it, and the rest.
func raw(w *window, length int64) *Event {
	var e *Event
	if w.ended {
		e = newRaw(newBytes(w.buf), int64(len(w.buf)))
	} else {
		e = newRaw(io.MultiReader(newBytes(w.buf), w.r), length)
	}
	identify(e, w.buf)
	return e
}

// enlarge makes room for the whole event.
func (w *window) enlarge(length int64) bool {
	size := int64(2 * cap(w.buf))
	if length >= 0 {
		size = length + 1 // one more, so that the end is seen
	}
	if size <= int64(len(w.buf)) || size > heldMost {
		return false
	}
	w.buf = append(make([]byte, 0, size), w.buf...)
	return true
}
