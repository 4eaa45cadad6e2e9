package flatten

import (
	"bytes"
	"context"
	"fmt"

	"github.com/klauspost/compress/flate"
)

// blockSize is how much of a file is compressed at a time. A larger file is
// cut into blocks that are compressed side by side and joined to one stream.
const blockSize = 1 << 20

// level is the deflate level: on Debian's files it is three times as fast as
// zlib's level 6 for 5% more bytes. Changing it, like another version of the
// compressor, changes the bytes of every package.
const level = 6

// block is a piece of a file on its way through the press. Its buffers are used
// again, so that the blocks are all the memory that contents ever take.
type block struct {
	in   []byte
	out  bytes.Buffer
	last bool // of its file
	done chan error
}

// press compresses blocks on several goroutines.
type press struct {
	workers int
	free    chan *block
	jobs    chan *block
}

func newPress(workers int) *press {
	n := 2*workers + openLayers
	p := &press{workers: workers, free: make(chan *block, n), jobs: make(chan *block, n)}
	for range n {
		p.free <- &block{done: make(chan error, 1)}
	}
	return p
}

// take waits for a block that is free.
func (p *press) take(ctx context.Context) (*block, error) {
	select {
	case b := <-p.free:
		if b.in == nil {
			b.in = make([]byte, 0, blockSize)
		}
		b.in, b.last = b.in[:0], false
		b.out.Reset()
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// work compresses until the press is closed or ctx ends.
func (p *press) work(ctx context.Context) error {
	w, err := flate.NewWriter(nil, level)
	if err != nil {
		return fmt.Errorf("create compressor: %w", err)
	}
	for {
		select {
		case b, ok := <-p.jobs:
			if !ok {
				return nil
			}
			b.done <- b.compress(w)
		case <-ctx.Done():
			return nil
		}
	}
}

func (p *press) close() { close(p.jobs) }

// compress writes the block in a form to which the next block of the same file
// can be appended: RFC 1951 lets a stream be cut after a flushed block.
func (b *block) compress(w *flate.Writer) error {
	w.Reset(&b.out)
	if _, err := w.Write(b.in); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	finish := w.Flush
	if b.last {
		finish = w.Close
	}
	if err := finish(); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return nil
}
