package payload

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/envelope"
)

// largeBody is a body that does not fit into the payload as it is.
type largeBody struct {
	park  func(context.Context, io.Reader) (Parked, error) // nil: there is no place for it
	event *envelope.Event
	limit int
	free  func()
}

// send makes a payload of the body, which is first and then rest.
func (l largeBody) send(ctx context.Context, first []byte, rest io.Reader) (*Payload, error) {
	counted := &counter{in: io.MultiReader(bytes.NewReader(first), rest)}
	var source io.Reader = counted
	o := envelope.Body{}
	compressed := compressible(first)
	if compressed {
		source, o.Encoding = newGzipReader(counted), "gzip"
	} else if l.park == nil {
		return nil, l.tooLarge(max(l.event.Length, int64(len(first))))
	}
	// What fits, in base64 and with the event around it, need not be parked.
	var held []byte
	if compressed {
		fits := base64.StdEncoding.DecodedLen(l.limit - len(l.event.Append(nil, &o)) - 128)
		var err error
		held, err = io.ReadAll(io.LimitReader(source, int64(max(0, fits))+1))
		if err != nil {
			return nil, backend.Errorf(backend.ErrInvalid, "read request body: %w", err)
		}
		if len(held) <= fits {
			l.event.Length, o.Size = counted.n, counted.n
			head := l.event.Append(GetBuffer(), &o)
			return New(envelope.AppendBase64(grow(head, len(head)+base64.StdEncoding.EncodedLen(len(held))+64), held), l.free), nil
		}
		if l.park == nil {
			return nil, l.tooLarge(max(l.event.Length, counted.n))
		}
	}
	parked, err := l.park(ctx, io.MultiReader(bytes.NewReader(held), source))
	if err != nil {
		return nil, err
	}
	l.event.Length, o.URL, o.Size = counted.n, parked.URL, counted.n
	p := New(append(l.event.Append(GetBuffer(), &o), '}'), l.free)
	p.discard = parked.Discard
	return p, nil
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
