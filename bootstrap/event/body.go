package event

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// streamed is a body that is read out of an event as it arrives: the inside of a
// JSON string that is the event's last member, perhaps of base64. It decodes in
// the window's own buffer.
type streamed struct {
	w      *window // its position is within the string
	base64 bool
	plain  []byte // decoded and not yet returned; a part of the window
	err    error  // to be returned after plain; io.EOF at the end
}

var (
	errCut  = errors.New("the event ends within it")
	errLast = errors.New("it is streamed and not the last member")
)

func (s *streamed) Read(p []byte) (int, error) {
	for len(s.plain) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		if s.err = s.decode(); s.err != nil && s.err != io.EOF {
			s.err = fmt.Errorf("%w: body: %w", ErrInvalid, s.err)
		}
	}
	n := copy(p, s.plain)
	s.plain = s.plain[n:]
	if len(s.plain) == 0 && s.err == io.EOF {
		return n, io.EOF
	}
	return n, nil
}

// decode sets plain from what is in the window, or reads more into it.
func (s *streamed) decode() error {
	w := s.w
	src := w.buf[w.pos:]
	out, n, end, err := unescape(src[:0], src)
	if err != nil {
		return err
	}
	w.pos += n
	if s.base64 {
		out, err = s.decode64(out, end)
		if err != nil {
			return err
		}
	}
	s.plain = out
	if end {
		return s.tail()
	}
	if len(out) > 0 {
		return nil
	}
	rest := copy(w.buf, w.buf[w.pos:])
	w.buf, w.pos = w.buf[:rest], 0
	if err := w.fill(); err == io.EOF {
		return errCut
	} else {
		return err
	}
}

// decode64 decodes whole groups of four and puts the rest back before the
// window's position, where it is found again when more is there.
func (s *streamed) decode64(text []byte, end bool) ([]byte, error) {
	if whole := len(text) / 4 * 4; !end {
		rest := text[whole:]
		s.w.pos -= len(rest)
		copy(s.w.buf[s.w.pos:], rest)
		text = text[:whole]
	}
	n, err := base64.StdEncoding.Decode(text, text)
	return text[:n], err
}

// tail reads what follows the body: the end of the event. It overwrites nothing
// of plain.
func (s *streamed) tail() error {
	w := s.w
	left := &window{r: io.MultiReader(newBytes(w.buf[w.pos:]), w.r), buf: make([]byte, 0, 512)}
	if w.ended {
		left.r = newBytes(w.buf[w.pos:])
	}
	if c, err := left.token(); err != nil || c != '}' {
		return errLast
	}
	left.pos++
	if _, err := left.token(); err != io.EOF {
		return errLast
	}
	return io.EOF
}

// held returns the body that the window holds whole, v with its quotes, decoded
// in place.
func held(v []byte, encoded bool) ([]byte, error) {
	if len(v) == 0 || isNull(v) {
		return nil, nil
	}
	if v[0] != '"' {
		return nil, fmt.Errorf("%w: body: it is not a string", ErrInvalid)
	}
	out, n, end, err := unescape(v[1:1], v[1:])
	if err != nil || !end || n != len(v)-1 {
		return nil, fmt.Errorf("%w: body: %w", ErrInvalid, errSyntax)
	}
	if !encoded {
		return out, nil
	}
	n, err = base64.StdEncoding.Decode(out, out)
	if err != nil {
		return nil, fmt.Errorf("%w: body: %w", ErrInvalid, err)
	}
	return out[:n], nil
}
