package event

import (
	"bytes"
	"errors"
	"io"
)

// windowSize is how much of an event is looked at to find out what it is: an
// event whose first 64 KiB show no HTTP request is none.
const windowSize = 64 << 10

var (
	errSyntax = errors.New("not JSON")
	errFull   = errors.New("window is full")
)

// window is the part of an event that has been read, and a position in it.
type window struct {
	r     io.Reader
	buf   []byte // buf[:cap] is what may be held
	pos   int
	ended bool
	err   error       // of reading; nil at a plain end
	grow  func() bool // makes room in a full window, or says that none is to be made; may be nil
}

// fill reads more. It returns errFull when no more can be held, io.EOF at the end.
func (w *window) fill() error {
	if w.ended {
		if w.err != nil {
			return w.err
		}
		return io.EOF
	}
	if len(w.buf) == cap(w.buf) && (w.grow == nil || !w.grow()) {
		return errFull
	}
	n, err := w.r.Read(w.buf[len(w.buf):cap(w.buf)])
	w.buf = w.buf[:len(w.buf)+n]
	if err != nil {
		w.ended = true
		if err != io.EOF {
			w.err = err
		}
	}
	return nil
}

// peek returns the byte at the position.
func (w *window) peek() (byte, error) {
	for w.pos >= len(w.buf) {
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
	return w.buf[w.pos], nil
}

// token moves past white space and returns the byte there.
func (w *window) token() (byte, error) {
	for {
		c, err := w.peek()
		if err != nil || (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
			return c, err
		}
		w.pos++
	}
}

// expect moves past white space and c.
func (w *window) expect(c byte) error {
	got, err := w.token()
	if err == nil && got != c {
		return errSyntax
	}
	w.pos++
	return err
}

// skip moves past one value and returns where it lies. It checks of a value's
// inner form only what decides where it ends. After an error the position is at
// the value.
func (w *window) skip() (start, end int, err error) {
	c, err := w.token()
	if err != nil {
		return 0, 0, err
	}
	start = w.pos
	switch c {
	case '"':
		err = w.skipString()
	case '{', '[':
		err = w.skipNested()
	default:
		err = w.skipLiteral()
	}
	if err != nil {
		w.pos = start
	}
	return start, w.pos, err
}

func (w *window) skipString() error {
	from := w.pos + 1 // what was looked at
	for {
		quote := bytes.IndexByte(w.buf[min(from, len(w.buf)):], '"')
		if quote < 0 {
			if escaped(w.buf[w.pos+1:]) { // the next byte belongs to the escape
				from = len(w.buf) + 1
			} else {
				from = len(w.buf)
			}
			if err := w.fill(); err != nil {
				return err
			}
			continue
		}
		quote += from
		if !escaped(w.buf[w.pos+1 : quote]) {
			w.pos = quote + 1
			return nil
		}
		from = quote + 1
	}
}

// escaped reports whether the byte after s, which begins inside a string, is part
// of an escape.
func escaped(s []byte) bool {
	n := len(s)
	for n > 0 && s[n-1] == '\\' {
		n--
	}
	return (len(s)-n)%2 == 1
}

func (w *window) skipNested() error {
	open := make([]byte, 0, 16) // the closing brackets that are owed
	for {
		c, err := w.peek()
		if err != nil {
			return err
		}
		switch c {
		case '"':
			if err := w.skipString(); err != nil {
				return err
			}
			continue
		case '{':
			open = append(open, '}')
		case '[':
			open = append(open, ']')
		case '}', ']':
			if open[len(open)-1] != c {
				return errSyntax
			}
			open = open[:len(open)-1]
		}
		w.pos++
		if len(open) == 0 {
			return nil
		}
	}
}

// skipLiteral moves past a number, true, false or null.
func (w *window) skipLiteral() error {
	for start := w.pos; ; w.pos++ {
		c, err := w.peek()
		switch {
		case err == io.EOF && w.pos > start:
			return nil
		case err != nil:
			return err
		case c == ',' || c == '}' || c == ']' || c <= ' ':
			if w.pos == start {
				return errSyntax
			}
			return nil
		case c == '"' || c == ':' || c == '{' || c == '[':
			return errSyntax
		}
	}
}
