package press

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
)

// Spool puts compressed contents one after the other, in the order of Add.
type Spool struct {
	w     io.Writer
	size  int64 // written so far; only the goroutine in Write touches it
	press *Press
	queue chan piece
}

// piece is a block on its way to the writer, and the stream it belongs to.
type piece struct {
	*block
	stream *Stream
}

// Stream is one content in a Spool. Offset and Size are known once Write has
// returned.
type Stream struct {
	Offset int64 // in what the Spool wrote
	Size   int64 // of the DEFLATE stream
	CRC32  uint32
	Head   []byte // see layers.HeadedContent
}

// NewSpool returns a spool that writes to w. One goroutine calls Add and then
// Close, another one Write.
func NewSpool(w io.Writer, p *Press) *Spool {
	// The queue holds every block there is, so that sending never blocks.
	return &Spool{w: w, press: p, queue: make(chan piece, cap(p.free))}
}

// Add takes size bytes from r, at least one.
func (s *Spool) Add(ctx context.Context, r io.Reader, size int64) (*Stream, error) {
	c := &Stream{}
	for left := size; left > 0; {
		b, err := s.press.take(ctx)
		if err != nil {
			return nil, err
		}
		b.in = b.in[:min(left, blockSize)]
		if _, err := io.ReadFull(r, b.in); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if left == size {
			c.Head = head(b.in)
		}
		c.CRC32 = crc32.Update(c.CRC32, crc32.IEEETable, b.in)
		left -= int64(len(b.in))
		b.last = left == 0
		s.press.jobs <- b
		s.queue <- piece{b, c}
	}
	return c, nil
}

// Close says that nothing more will be added.
func (s *Spool) Close() { close(s.queue) }

// Write writes compressed blocks in the order in which Add took them, until
// Close or the end of ctx.
func (s *Spool) Write(ctx context.Context) error {
	for p := range s.queue {
		select {
		case err := <-p.done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if p.stream.Size == 0 {
			p.stream.Offset = s.size
		}
		n, err := s.w.Write(p.out.Bytes())
		if err != nil {
			return fmt.Errorf("store content: %w", err)
		}
		s.size += int64(n)
		p.stream.Size += int64(n)
		s.press.free <- p.block
	}
	return nil
}
