package event

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
)

// inflated returns the text of which src is the gzip form, size bytes or -1. It
// reads nothing yet.
func inflated(src io.Reader, size int64) io.Reader {
	r := io.Reader(&inflater{src: source{r: src}})
	if size >= 0 {
		r = &measured{r: r, size: size}
	}
	return r
}

// inflater is a gzip.Reader that is made when it is needed, and that tells its
// own errors from those of its source.
type inflater struct {
	src source
	zr  *gzip.Reader
	err error
}

func (i *inflater) Read(p []byte) (n int, err error) {
	if i.err != nil {
		return 0, i.err
	}
	if i.zr == nil {
		i.zr, err = gzip.NewReader(bufio.NewReaderSize(&i.src, 16<<10))
	}
	if err == nil {
		n, err = i.zr.Read(p)
	}
	switch {
	case err == nil || err == io.EOF && i.zr != nil:
		i.err = err
	case i.src.err != nil && i.src.err != io.EOF:
		i.err = i.src.err
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		i.err = fmt.Errorf("%w: body: its gzip form ends early", ErrInvalid)
	default:
		i.err = fmt.Errorf("%w: body: %w", ErrInvalid, err)
	}
	return n, i.err
}

// source remembers the error of its reader.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	s.err = err
	return n, err
}

// measured is a body that must have size bytes. It gives out the last of them
// only when the body is known to end there, and to be whole: whoever has got as
// many bytes as were announced reads no further.
type measured struct {
	r    io.Reader
	size int64
	n    int64
	err  error
}

func (m *measured) Read(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	if left := m.size - m.n; int64(len(p)) > left {
		p = p[:left]
	}
	n, err := 0, error(nil)
	if len(p) > 0 {
		n, err = m.r.Read(p)
		m.n += int64(n)
	}
	switch {
	case m.n == m.size:
		if err = m.end(err); err != io.EOF {
			n = 0
		}
	case err == io.EOF:
		err = fmt.Errorf("%w: body: it ends after %d of %d bytes", ErrInvalid, m.n, m.size)
	}
	m.err = err
	return n, err
}

// end reads on after the last byte, which came with err.
func (m *measured) end(err error) error {
	var more [1]byte
	for n := 0; err == nil; {
		if n, err = m.r.Read(more[:]); n > 0 {
			return fmt.Errorf("%w: body: it is longer than the announced %d bytes", ErrInvalid, m.size)
		}
	}
	return err
}
