package event

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// fields is what an HTTP request event consists of, as far as it is read.
type fields struct {
	current string // the member being read
	foreign bool   // a member that no HTTP request has was read

	version, method, path, query, remote string
	envelope                             int // its version; 0: none
	headers                              map[string]string
	multi                                map[string][]string
	cookies                              []string
	base64, sawBase64                    bool
	body                                 [2]int // where it lies in the window, with its quotes
}

// read reads members until the end of the event, or until the window is full and
// is not to grow.
func (f *fields) read(w *window) error {
	if err := w.expect('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := w.token()
		if err != nil {
			return err
		}
		if c == '}' {
			w.pos++
			break
		}
		if !first {
			if err := w.expect(','); err != nil {
				return err
			}
		}
		if err := f.member(w); err != nil {
			return err
		}
	}
	if _, err := w.token(); err != io.EOF {
		return errSyntax
	}
	return nil
}

func (f *fields) member(w *window) error {
	f.current = ""
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
	f.current = name
	f.foreign = f.foreign || !known[name]
	if start, end, err = w.skip(); err != nil {
		if err == errFull && f.streamable() {
			if w.buf[w.pos] != '"' {
				return fmt.Errorf("%w: body: it is not a string", ErrInvalid)
			}
			w.pos++ // into it
		}
		return err
	}
	if name == "body" {
		f.body = [2]int{start, end}
		return nil
	}
	return f.set(name, w.buf[start:end])
}

// set takes the value of one member. A value of another kind than an HTTP
// request has makes the event another event, so no error but that of the
// envelope is ErrInvalid.
func (f *fields) set(name string, v []byte) error {
	ok := true
	switch name {
	case "version":
		f.version, _ = text(v) // another kind of event may have a number here
	case "rawPath":
		f.path, ok = text(v)
	case "rawQueryString":
		f.query, ok = text(v)
	case "isBase64Encoded":
		f.base64, f.sawBase64 = isTrue(v), true
	case "headers":
		return f.setHeaders(v)
	case "cookies":
		if isNull(v) {
			return nil
		}
		return elements(v, func(v []byte) error {
			cookie, ok := text(v)
			f.cookies = append(f.cookies, cookie)
			return syntax(ok)
		})
	case "requestContext":
		return f.setContext(v)
	case "faasLambda":
		return f.setEnvelope(v)
	}
	return syntax(ok)
}

func syntax(ok bool) error {
	if !ok {
		return errSyntax
	}
	return nil
}

func (f *fields) setHeaders(v []byte) error {
	if isNull(v) {
		return nil
	}
	f.headers = make(map[string]string, 16)
	return members(v, func(name string, v []byte) error {
		value, ok := text(v)
		f.headers[name] = value
		return syntax(ok)
	})
}

func (f *fields) setContext(v []byte) error {
	if len(v) == 0 || v[0] != '{' {
		return nil
	}
	return members(v, func(name string, v []byte) error {
		if name != "http" || v[0] != '{' {
			return nil
		}
		return members(v, func(name string, v []byte) error {
			switch name {
			case "method":
				f.method, _ = text(v)
			case "sourceIp":
				f.remote, _ = text(v)
			}
			return nil
		})
	})
}

func (f *fields) setEnvelope(v []byte) error {
	f.envelope = -1
	err := members(v, func(name string, v []byte) error {
		switch name {
		case "version":
			f.envelope, _ = strconv.Atoi(string(v))
		case "multiValueHeaders":
			f.multi = map[string][]string{}
			return members(v, func(name string, v []byte) error {
				return elements(v, func(v []byte) error {
					value, ok := text(v)
					f.multi[name] = append(f.multi[name], value)
					return syntax(ok)
				})
			})
		}
		return nil
	})
	if err == nil && f.envelope != EnvelopeVersion {
		err = fmt.Errorf("%w: faasLambda: version %d, this bootstrap reads version %d: deploy the function again", ErrInvalid, f.envelope, EnvelopeVersion)
	}
	return err
}

// mayBeHTTP reports whether an event that does not fit the window is to be held
// to find out.
func (f *fields) mayBeHTTP() bool {
	return !f.foreign && (f.current == "" || known[f.current]) && !f.streamable()
}

// isHTTP reports whether what was read is an HTTP request.
func (f *fields) isHTTP() bool { return f.version == "2.0" && f.method != "" }

// streamable reports whether the value being read is a body of which all is
// known, so that it need not be held.
func (f *fields) streamable() bool {
	return f.current == "body" && f.envelope == EnvelopeVersion && f.sawBase64 && f.isHTTP() && f.headers != nil
}

func (f *fields) bodyIn(w *window) []byte { return w.buf[f.body[0]:f.body[1]] }

// contentLength is what the request's own header says, which goes for a body
// whose length is not otherwise known: whoever sends it checks.
func (f *fields) contentLength() int64 {
	n, err := strconv.ParseInt(f.headers["content-length"], 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// event makes the request of what was read.
func (f *fields) event(body io.Reader, length int64) (*Event, error) {
	e := &Event{
		Shape: V2, Method: f.method, Target: target(f.path, f.query), Remote: f.remote,
		Header: make(http.Header, len(f.headers)+8), Body: body, Length: length,
	}
	if f.envelope != 0 {
		e.Shape = Enveloped
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
	if _, ok := e.Header["Content-Length"]; ok && length >= 0 {
		e.Header["Content-Length"] = []string{strconv.FormatInt(length, 10)}
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
