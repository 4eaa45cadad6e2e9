package watchdog

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// errBodyLength says that a body did not have the length that was announced.
var errBodyLength = errors.New("request body is not as long as its Content-Length")

// outgoing is a request as it goes to the function.
type outgoing struct {
	method, target, host string
	header               http.Header
	body                 io.Reader
	length               int64  // of body; -1 when unknown
	upgrade              string // protocol asked for by Upgrade, or ""
}

// hopByHop are the headers that concern one connection (RFC 9110, 7.6.1).
// Connection may name more.
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// dropped returns whether header name, of a message with this Connection header,
// stays behind.
func dropped(name string, connection []string) bool {
	if hopByHop[name] {
		return true
	}
	for _, v := range connection {
		for option := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(option), name) {
				return true
			}
		}
	}
	return false
}

// appendHead writes the request line and headers. What could not stand there
// is an error, never bytes on the wire: events carry any string.
func (o *outgoing) appendHead(b []byte) ([]byte, error) {
	if !isToken(o.method) {
		return b, fmt.Errorf("method %q is not one", o.method)
	}
	for i := range len(o.target) {
		if c := o.target[i]; c <= ' ' || c == 0x7f {
			return b, fmt.Errorf("request target %q has a space or control character", o.target)
		}
	}
	if !isFieldValue(o.host) {
		return b, fmt.Errorf("host %q has a control character", o.host)
	}
	b = append(b, o.method...)
	b = append(b, ' ')
	b = append(b, o.target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, o.host...)
	b = append(b, "\r\n"...)
	connection := o.header["Connection"]
	for name, values := range o.header {
		if name == "Content-Length" || name == "Host" || name == "Expect" || dropped(name, connection) {
			continue
		}
		if !isToken(name) {
			return b, fmt.Errorf("header name %q is not one", name)
		}
		for _, v := range values {
			if !isFieldValue(v) {
				return b, fmt.Errorf("header %s has a control character", name)
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
			b = append(b, "\r\n"...)
		}
	}
	switch {
	case o.upgrade != "":
		b = append(b, "Connection: Upgrade\r\nUpgrade: "...)
		b = append(b, o.upgrade...)
		b = append(b, "\r\n"...)
	case o.length > 0, o.length == 0 && needsLength(o.method):
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, o.length, 10)
		b = append(b, "\r\n"...)
	case o.length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

// needsLength reports whether a request without body says Content-Length: 0
// (RFC 9110, 8.6).
func needsLength(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// repeatable reports whether the request may be sent twice: a method that is
// idempotent, and no body that would be gone.
func (o *outgoing) repeatable() bool {
	switch o.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return o.length == 0
	}
	return false
}
