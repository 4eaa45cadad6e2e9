package aws

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/envelope"
)

// sent is an invocation's payload and what lies in S3 for it.
type sent struct {
	*payload
	discard func(context.Context) // removes the object; never nil
}

func keepNothing(context.Context) {}

// payloadFor reads the body of r as far as the payload needs it. A body that
// does not fit travels compressed, when it can be compressed enough, or through
// S3. No more than some 16 MB of one body are in memory, and no more than
// Options.PayloadMemory of all.
func (b *Backend) payloadFor(ctx context.Context, to target, r *http.Request, queued bool) (sent, error) {
	limit := maxPayload
	if queued {
		limit = maxQueued
	}
	free, err := b.reserve(ctx, r.ContentLength)
	if err != nil {
		return sent{}, err
	}
	data, rest, err := readBody(r, limit)
	if err != nil {
		free()
		return sent{}, err
	}
	if to.adopted {
		return rawPayload(data, rest != nil, limit, free)
	}
	length := int64(len(data))
	if rest != nil {
		length = r.ContentLength
	}
	e, err := envelope.New(r, length, traceCarrier(ctx), time.Now())
	if err != nil {
		free()
		return sent{}, err
	}
	if rest == nil {
		head := e.Append(getBuffer(), nil)
		if size := len(head) + envelope.BodySize(data); size <= limit {
			p := newPayload(envelope.AppendBody(grow(head, size), data), free)
			putBuffer(data)
			return sent{p, keepNothing}, nil
		}
		putBuffer(head)
		rest = http.NoBody
	}
	large := largeBody{b: b, to: to, event: e, limit: limit, queued: queued, free: free}
	out, err := large.send(ctx, data, rest)
	if err != nil {
		free()
	}
	return out, err
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
	data = getBuffer()
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

// rawPayload is the payload for a function that is not ours: the body itself.
func rawPayload(data []byte, more bool, limit int, free func()) (sent, error) {
	err := error(nil)
	switch {
	case more || len(data) > limit:
		err = backend.Errorf(backend.ErrTooLarge, "the request's body is longer than the %d bytes that Lambda takes, and functions without our bootstrap get theirs directly only", limit)
	case len(data) > 0 && !json.Valid(data):
		err = backend.Errorf(backend.ErrInvalid, "the request's body is not JSON, the one thing that functions without our bootstrap take")
	}
	if err != nil {
		free()
		return sent{}, err
	}
	return sent{newPayload(data, free), keepNothing}, nil
}

// largeBody is a body that does not fit into the payload as it is.
type largeBody struct {
	b      *Backend
	to     target
	event  *envelope.Event
	limit  int
	queued bool
	free   func()
}

// send makes a payload of the body, which is first and then rest.
func (l largeBody) send(ctx context.Context, first []byte, rest io.Reader) (sent, error) {
	counted := &counter{in: io.MultiReader(bytes.NewReader(first), rest)}
	var source io.Reader = counted
	o := envelope.Body{}
	compressed := compressible(first)
	if compressed {
		source, o.Encoding = newGzipReader(counted), "gzip"
	} else if l.to.account.wanted == noBucket {
		return sent{}, l.tooLarge(max(l.event.Length, int64(len(first))))
	}
	// What fits, in base64 and with the event around it, need not go to S3.
	var held []byte
	if compressed {
		fits := base64.StdEncoding.DecodedLen(l.limit - len(l.event.Append(nil, &o)) - 128)
		var err error
		held, err = io.ReadAll(io.LimitReader(source, int64(max(0, fits))+1))
		if err != nil {
			return sent{}, backend.Errorf(backend.ErrInvalid, "read request body: %w", err)
		}
		if len(held) <= fits {
			l.event.Length, o.Size = counted.n, counted.n
			head := l.event.Append(getBuffer(), &o)
			return sent{newPayload(envelope.AppendBase64(grow(head, len(head)+base64.StdEncoding.EncodedLen(len(held))+64), held), l.free), keepNothing}, nil
		}
		if l.to.account.wanted == noBucket {
			return sent{}, l.tooLarge(max(l.event.Length, counted.n))
		}
	}
	object, err := l.b.park(ctx, l.to, io.MultiReader(bytes.NewReader(held), source), l.queued)
	if err != nil {
		return sent{}, err
	}
	l.event.Length, o.URL, o.Size = counted.n, object.url, counted.n
	return sent{newPayload(append(l.event.Append(getBuffer(), &o), '}'), l.free), object.discard}, nil
}

func (l largeBody) tooLarge(n int64) error {
	return backend.Errorf(backend.ErrTooLarge,
		"the request's body of at least %d bytes does not fit into the %d bytes that Lambda takes in one invocation: code_bucket names no S3 bucket through which larger ones can go", n, l.limit)
}

// compressible tries: a body that shrinks by less than a tenth is sent as it is.
func compressible(sample []byte) bool {
	var n counter
	w, err := gzip.NewWriterLevel(&n, gzip.BestSpeed)
	if err != nil {
		return false
	}
	sample = sample[:min(len(sample), sampled)]
	if _, err := w.Write(sample); err != nil || w.Close() != nil {
		return false
	}
	return n.n < int64(len(sample))*9/10
}

// counter counts what is read or written.
type counter struct {
	in io.Reader
	n  int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// gzipReader compresses what it reads.
type gzipReader struct {
	in    io.Reader
	zip   *gzip.Writer
	out   bytes.Buffer
	piece []byte
	err   error
}

func newGzipReader(in io.Reader) *gzipReader {
	g := &gzipReader{in: in, piece: make([]byte, 64<<10)}
	g.zip, _ = gzip.NewWriterLevel(&g.out, gzip.BestSpeed) // the level is a valid one
	return g
}

func (g *gzipReader) Read(p []byte) (int, error) {
	for g.out.Len() == 0 {
		if g.err != nil {
			return 0, g.err
		}
		n, err := g.in.Read(g.piece)
		if _, zerr := g.zip.Write(g.piece[:n]); zerr != nil {
			err = zerr
		}
		if err == io.EOF {
			if zerr := g.zip.Close(); zerr != nil {
				err = zerr
			}
		}
		g.err = err
	}
	return g.out.Read(p)
}
