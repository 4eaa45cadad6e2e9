package event

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// These read values that a window has found whole.

// members calls f for each member of the object v, with the bytes of its value.
func members(v []byte, f func(name string, value []byte) error) error {
	return each(v, '{', func(w *window) error {
		start, end, err := w.skip()
		if err != nil {
			return err
		}
		name, ok := text(w.buf[start:end])
		if !ok {
			return errSyntax
		}
		if err := w.expect(':'); err != nil {
			return err
		}
		if start, end, err = w.skip(); err != nil {
			return err
		}
		return f(name, w.buf[start:end])
	})
}

// elements calls f for the bytes of each element of the array v.
func elements(v []byte, f func(value []byte) error) error {
	return each(v, '[', func(w *window) error {
		start, end, err := w.skip()
		if err != nil {
			return err
		}
		return f(w.buf[start:end])
	})
}

// each calls f at each item of the list in v that begins with open.
func each(v []byte, open byte, f func(*window) error) error {
	if len(v) == 0 || v[0] != open {
		return errSyntax
	}
	w := &window{buf: v, pos: 1, ended: true}
	for first := true; ; first = false {
		c, err := w.token()
		if err != nil {
			return err
		}
		if c == open+2 { // '}' for '{', ']' for '['
			return nil
		}
		if !first {
			if err := w.expect(','); err != nil {
				return err
			}
		}
		if err := f(w); err != nil {
			return err
		}
	}
}

// text returns the string that v holds. Anything but a string is not ok.
func text(v []byte) (string, bool) {
	if len(v) < 2 || v[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1]), true
	}
	out, n, end, err := unescape(make([]byte, 0, len(v)), v[1:])
	return string(out), err == nil && end && n == len(v)-1
}

func isTrue(v []byte) bool { return string(v) == "true" }
func isNull(v []byte) bool { return string(v) == "null" }

// unescape appends to dst the text of src, which is the inside of a JSON string,
// up to the string's closing quote. n is how much of src that was, the quote
// included. Without end there is no quote, and src[n:] is an escape that is cut
// off, or nothing. dst may be src[:0]: text is never longer than its escaped
// form. Half a surrogate pair becomes U+FFFD.
func unescape(dst, src []byte) (out []byte, n int, end bool, err error) {
	quote, slash := -1, -1 // where the next ones are, when not before n
	for {
		if quote < n {
			quote = next(src, n, '"')
		}
		if slash < n {
			slash = next(src, n, '\\')
		}
		if quote < slash {
			return append(dst, src[n:quote]...), quote + 1, true, nil
		}
		dst = append(dst, src[n:slash]...)
		if n = slash; n == len(src) {
			return dst, n, false, nil
		}
		r, size := escape(src[n:])
		switch {
		case size < 0:
			return dst, n, false, errSyntax
		case size == 0:
			return dst, n, false, nil
		}
		dst = utf8.AppendRune(dst, r)
		n += size
	}
}

// next returns where the next c is, from n on; len(src) when there is none.
func next(src []byte, n int, c byte) int {
	if i := bytes.IndexByte(src[n:], c); i >= 0 {
		return n + i
	}
	return len(src)
}

// escape reads the escape that src begins with. Size 0 says that src is too
// short to tell, size -1 that it is no escape.
func escape(src []byte) (r rune, size int) {
	if len(src) < 2 {
		return 0, 0
	}
	switch c := src[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b', 'f', 'n', 'r', 't':
		return escapes[c-'a'], 2
	case 'u':
		r, size = unit(src)
		if size <= 0 || !utf16.IsSurrogate(r) {
			return r, size
		}
		if r >= 0xdc00 {
			return utf8.RuneError, 6
		}
		second, size := unit(src[6:])
		if size == 0 {
			return 0, 0
		}
		if pair := utf16.DecodeRune(r, second); size > 0 && pair != utf8.RuneError {
			return pair, 12
		}
		return utf8.RuneError, 6
	}
	return 0, -1
}

var escapes = [26]rune{'b' - 'a': '\b', 'f' - 'a': '\f', 'n' - 'a': '\n', 'r' - 'a': '\r', 't' - 'a': '\t'}

// unit reads \u and its four digits, with the sizes of escape.
func unit(s []byte) (rune, int) {
	for i, c := range s[:min(len(s), 6)] {
		switch {
		case i == 0 && c != '\\', i == 1 && c != 'u':
			return 0, -1
		case i > 1 && !isHex(c):
			return 0, -1
		}
	}
	if len(s) < 6 {
		return 0, 0
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	if err != nil {
		return 0, -1
	}
	return rune(n), 6
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
