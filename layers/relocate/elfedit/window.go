package elfedit

import (
	"errors"
	"fmt"
	"io"
)

// headKept is how much of a file's beginning a window keeps: there linkers put
// the strings that the dynamic section, much later, refers to.
const headKept = 256 << 10

// window reads parts of a file that can only be read forwards. What lies behind
// it and is no longer kept costs another pass.
type window struct {
	open func() (io.ReadCloser, error)
	size int64
	in   io.ReadCloser
	pos  int64
	head []byte // the file's first bytes, as far as they have been read
	buf  []byte
}

// bytes returns n bytes from offset. They are good until the next call.
func (w *window) bytes(offset, n int64) ([]byte, error) {
	if offset < 0 || n < 0 || n > w.size || offset > w.size-n {
		return nil, fmt.Errorf("%w: %d bytes at %d of %d", ErrDamaged, n, offset, w.size)
	}
	if err := w.fillHead(min(offset+n, headKept)); err != nil {
		return nil, err
	}
	if offset+n <= int64(len(w.head)) {
		return w.head[offset : offset+n], nil
	}
	if err := w.seek(offset); err != nil {
		return nil, err
	}
	if int64(cap(w.buf)) < n {
		w.buf = make([]byte, n)
	}
	w.buf = w.buf[:n]
	kept := 0
	if offset < int64(len(w.head)) {
		kept = copy(w.buf, w.head[offset:])
	}
	return w.buf, w.read(w.buf[kept:])
}

// atMost is bytes, with fewer at the file's end.
func (w *window) atMost(offset, n int64) ([]byte, error) {
	if offset < 0 || offset > w.size {
		return nil, fmt.Errorf("%w: %d is behind the end at %d", ErrDamaged, offset, w.size)
	}
	return w.bytes(offset, min(n, w.size-offset))
}

// fillHead makes sure that the first n bytes are kept.
func (w *window) fillHead(n int64) error {
	have := int64(len(w.head))
	if n <= have {
		return nil
	}
	// What is read at all is read in large steps.
	n = min(max(n, 4<<10, 4*have), headKept, w.size)
	if err := w.seek(have); err != nil {
		return err
	}
	w.head = append(w.head, make([]byte, n-have)...)
	if err := w.read(w.head[have:]); err != nil {
		w.head = w.head[:have]
		return err
	}
	return nil
}

// seek goes to offset, or to where the kept head ends when that is further.
func (w *window) seek(offset int64) error {
	offset = max(offset, int64(len(w.head)))
	if w.in == nil || w.pos > offset {
		if err := w.close(); err != nil {
			return err
		}
		in, err := w.open()
		if err != nil {
			return err
		}
		w.in, w.pos = in, 0
	}
	n, err := io.CopyN(io.Discard, w.in, offset-w.pos)
	w.pos += n
	return ended(err)
}

func (w *window) read(p []byte) error {
	n, err := io.ReadFull(w.in, p)
	w.pos += int64(n)
	return ended(err)
}

// ended turns an early end into what it is: the size was a lie.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends early", ErrDamaged)
	}
	return err
}

func (w *window) close() error {
	if w.in == nil {
		return nil
	}
	err := w.in.Close()
	w.in = nil
	return err
}
