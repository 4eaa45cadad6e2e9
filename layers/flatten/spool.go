package flatten

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/klauspost/compress/flate"
)

// spool holds the contents of one layer's files, deflated, one after the other
// in the order of the tar.
type spool struct {
	file  *os.File
	size  int64 // written so far; only the goroutine in write touches it
	press *press
	queue chan piece
}

// piece is a block on its way to the file, and the content it belongs to.
type piece struct {
	*block
	content *content
}

func newSpool(dir string, i int, p *press) (*spool, error) {
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(i)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create file for a layer: %w", err)
	}
	// The queue holds every block there is, so that sending never blocks.
	return &spool{file: f, press: p, queue: make(chan piece, cap(p.free))}, nil
}

// add takes size bytes from r. The content can be opened once write has
// returned.
func (s *spool) add(ctx context.Context, r io.Reader, size int64) (layers.Content, error) {
	if size == 0 {
		return empty{}, nil
	}
	c := &content{file: s.file}
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
		c.crc = crc32.Update(c.crc, crc32.IEEETable, b.in)
		left -= int64(len(b.in))
		b.last = left == 0
		s.press.jobs <- b
		s.queue <- piece{b, c}
	}
	return c, nil
}

// write writes compressed blocks in the order in which add took them, until
// the queue is closed or ctx ends.
func (s *spool) write(ctx context.Context) error {
	for p := range s.queue {
		select {
		case err := <-p.done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if p.content.deflated == 0 {
			p.content.offset = s.size
		}
		n, err := s.file.WriteAt(p.out.Bytes(), s.size)
		if err != nil {
			return fmt.Errorf("store layer: %w", err)
		}
		s.size += int64(n)
		p.content.deflated += int64(n)
		s.press.free <- p.block
	}
	return nil
}

// content is a file's content in a spool.
type content struct {
	file     io.ReaderAt
	offset   int64
	deflated int64
	crc      uint32
}

func (c *content) Open() (io.ReadCloser, error) {
	return flate.NewReader(c.section()), nil
}

func (c *content) OpenDeflated() (layers.Deflated, error) {
	return layers.Deflated{Body: io.NopCloser(c.section()), Size: c.deflated, CRC32: c.crc}, nil
}

func (c *content) section() *io.SectionReader {
	return io.NewSectionReader(c.file, c.offset, c.deflated)
}

// empty is the content of an empty file.
type empty struct{}

func (empty) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }
