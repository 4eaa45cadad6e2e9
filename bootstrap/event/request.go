package event

import (
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
)

// event makes the request of what was read.
func (f *fields) event(body io.Reader, length int64) (*Event, error) {
	if f.isV1() {
		if err := f.fromV1(); err != nil {
			return nil, err
		}
	}
	body, length, fetch, err := f.envelope.bodyOf(body, length)
	if err != nil {
		return nil, err
	}
	e := &Event{
		Shape: f.v1.shape, Multi: f.v1.multiHeaders, Method: f.method, Target: target(f.path, f.query), Remote: f.remote,
		Header: make(http.Header, len(f.headers)+8), Body: body, Length: length, Fetch: fetch,
	}
	switch {
	case f.envelope.version != 0:
		e.Shape = Enveloped
	case !f.isV1():
		e.Shape = V2
	}
	for name, value := range f.headers {
		e.Header[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
	}
	for name, values := range f.multi {
		e.Header[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	if len(f.cookies) > 0 {
		e.Header["Cookie"] = []string{strings.Join(f.cookies, "; ")}
	}
	e.Host = e.Header.Get("Host")
	delete(e.Header, "Host")
	if e.Remote != "" {
		e.Remote = net.JoinHostPort(e.Remote, "0")
	}
	if fetch == nil {
		e.setLength()
	}
	return e, nil
}

// target joins path and query to a request target. What cannot stand in one is
// percent-encoded (API Gateway decodes rawPath); all else stays byte for byte.
func target(path, query string) string {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	path = encode(path, "?#")
	if query != "" {
		path += "?" + encode(query, "#")
	}
	return path
}

func encode(s, reserved string) string {
	bad := func(c byte) bool { return c <= ' ' || c >= 0x7f || strings.IndexByte(reserved, c) >= 0 }
	i := 0
	for i < len(s) && !bad(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	const digits = "0123456789ABCDEF"
	out := []byte(s[:i])
	for ; i < len(s); i++ {
		if c := s[i]; bad(c) {
			out = append(out, '%', digits[c>>4], digits[c&15])
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}
