// Package press compresses the contents of files to raw DEFLATE streams, in
// blocks and on several cores at once. The same content gives the same stream,
// however many cores there are. It keeps nothing: a Spool writes to whatever
// its user gives it.
package press

import (
	"bytes"
	"context"
	"fmt"
	"runtime"

	"github.com/klauspost/compress/flate"
	"golang.org/x/sync/errgroup"
)

// Version names how content is compressed. Streams of one version are the same
// bytes for the same content; whatever is kept of another is of no use.
const Version = "deflate-6-1048576-klauspost-1.20.3"

// blockSize is how much of a file is compressed at a time. A larger file is
// cut into blocks that are compressed side by side and joined to one stream.
const blockSize = 1 << 20

// level is the deflate level: on Debian's files it is three times as fast as
// zlib's level 6 for 5% more bytes. Changing it, like another version of the
// compressor, changes the bytes of every package.
const level = 6

// maxWorkers bounds the memory that a machine with many cores would spend.
const maxWorkers = 16

// block is a piece of a file on its way through the press. Its buffers are used
// again, so that the blocks are all the memory that contents ever take.
type block struct {
	in   []byte
	out  bytes.Buffer
	last bool // of its file
	done chan error
}

// Press compresses blocks on several goroutines, for several Spools.
type Press struct {
	workers int
	free    chan *block
	jobs    chan *block
}

// Run gives use a press of that many workers; 0 means one a core. spools is how
// many Spools will be filled at a time. The press ends with use.
func Run(ctx context.Context, workers, spools int, use func(context.Context, *Press) error) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = min(workers, maxWorkers)
	n := 2*workers + spools
	p := &Press{workers: workers, free: make(chan *block, n), jobs: make(chan *block, n)}
	for range n {
		p.free <- &block{done: make(chan error, 1)}
	}
	all, ctx := errgroup.WithContext(ctx)
	for range p.workers {
		all.Go(func() error { return p.work(ctx) })
	}
	all.Go(func() error {
		defer close(p.jobs)
		return use(ctx, p)
	})
	return all.Wait()
}

// take waits for a block that is free.
func (p *Press) take(ctx context.Context) (*block, error) {
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
func (p *Press) work(ctx context.Context) error {
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
