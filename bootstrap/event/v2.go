package event

import (
	"fmt"
	"io"
	"strconv"
)

// fields is what an HTTP request event consists of, as far as it is read.
type fields struct {
	current string // the member being read
	foreign bool   // a member that no HTTP request has was read

	other bool // a request to be authorized, or of a websocket: it is for no HTTP server

	version, method, path, remote string
	query                         string // format 2.0: as it came
	envelope                      envelope
	headers                       map[string]string
	multi                         map[string][]string // multiValueHeaders, of the envelope or of the event
	cookies                       []string
	base64, sawBase64             bool
	body                          [2]int // where it lies in the window, with its quotes

	v1 v1Fields
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
	case "routeArn", "methodArn":
		f.other = true
	case "httpMethod":
		f.v1.method, _ = text(v)
	case "path":
		f.v1.path, _ = text(v)
	case "queryStringParameters":
		f.v1.single = v
	case "multiValueQueryStringParameters":
		f.v1.multi = v
	case "multiValueHeaders":
		f.v1.multiHeaders = !isNull(v)
		return f.setMulti(v)
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
		return f.envelope.set(v, f)
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
	f.v1.context = true
	return members(v, func(name string, v []byte) error {
		switch {
		case name == "connectionId":
			f.other = true
		case name == "elb":
			f.v1.elb = true
		case name == "identity" && v[0] == '{':
			return members(v, func(name string, v []byte) error {
				if name == "sourceIp" {
					f.v1.remote, _ = text(v)
				}
				return nil
			})
		}
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

func (f *fields) setMulti(v []byte) error {
	if isNull(v) {
		return nil
	}
	f.multi = map[string][]string{}
	return members(v, func(name string, v []byte) error {
		return elements(v, func(v []byte) error {
			value, ok := text(v)
			f.multi[name] = append(f.multi[name], value)
			return syntax(ok)
		})
	})
}

// mayBeHTTP reports whether an event that does not fit the window is to be held
// to find out.
func (f *fields) mayBeHTTP() bool {
	return !f.foreign && (f.current == "" || known[f.current]) && !f.streamable()
}

// isHTTP reports whether what was read is an HTTP request.
func (f *fields) isHTTP() bool { return !f.other && (f.isV2() || f.isV1()) }

func (f *fields) isV2() bool { return f.version == "2.0" && f.method != "" }

// streamable reports whether the value being read is a body of which all is
// known, so that it need not be held.
func (f *fields) streamable() bool {
	return f.current == "body" && f.envelope.version > 0 && f.sawBase64 && f.isV2() && f.headers != nil
}

func (f *fields) bodyIn(w *window) []byte { return w.buf[f.body[0]:f.body[1]] }

// bodyLength is how long a body is that has not been read: what the request's own
// header says, -1 without it. Whoever sends the body on checks.
func (f *fields) bodyLength() int64 {
	n, err := strconv.ParseInt(f.headers["content-length"], 10, 64)
	if err != nil || n < 0 || f.envelope.body { // which has a length of its own
		return -1
	}
	return n
}
