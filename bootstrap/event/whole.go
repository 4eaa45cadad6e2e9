package event

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Whole returns the parts of a buffered answer to e, to be sent one after
// another. The body is text where it is UTF-8 without a content encoding, base64
// otherwise.
func Whole(e *Event, status int, h http.Header, body []byte) [][]byte {
	var head []byte
	switch e.Shape {
	case V1:
		head = appendV1(make([]byte, 0, 1024), status, h)
	case ALB:
		head = appendALB(make([]byte, 0, 1024), status, h, e.Multi)
	default:
		head = appendMetadata(make([]byte, 0, 1024), status, h, false)
	}
	if h.Get("Content-Encoding") == "" && utf8.Valid(body) {
		head = append(head, `,"isBase64Encoded":false,"body":`...)
		return [][]byte{head, appendString(make([]byte, 0, len(body)+len(body)/8+2), string(body)), []byte("}")}
	}
	head = append(head, `,"isBase64Encoded":true,"body":"`...)
	encoded := make([]byte, base64.StdEncoding.EncodedLen(len(body)))
	base64.StdEncoding.Encode(encoded, body)
	return [][]byte{head, encoded, []byte(`"}`)}
}

// appendV1 appends the answer to a REST API without its body: every header with
// all its values.
func appendV1(b []byte, status int, h http.Header) []byte {
	b = append(b, `{"statusCode":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	return appendMulti(append(b, ','), h)
}

// appendMulti appends the member multiValueHeaders.
func appendMulti(b []byte, h http.Header) []byte {
	b = append(b, `"multiValueHeaders":{`...)
	comma := false
	for name, values := range h {
		if len(values) > 0 && !hopByHop[name] {
			b = appendName(b, name, &comma)
			b = appendStrings(b, values)
		}
	}
	return append(b, '}')
}

// appendALB appends the answer to a load balancer without its body. A load
// balancer with single-valued headers takes each name once; it compares
// names as they are written, so that several cookies are several spellings.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
func appendALB(b []byte, status int, h http.Header, multi bool) []byte {
	b = append(b, `{"statusCode":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"statusDescription":`...)
	b = appendString(b, strings.TrimSpace(strconv.Itoa(status)+" "+http.StatusText(status)))
	b = append(b, ',')
	if multi {
		return appendMulti(b, h)
	}
	b = append(b, `"headers":{`...)
	comma := false
	for name, values := range h {
		switch {
		case len(values) == 0 || hopByHop[name]:
		case name == "Set-Cookie":
			for i, cookie := range values {
				if comma {
					b = append(b, ',')
				}
				comma = true
				b = append(appendString(b, spelling("set-cookie", i)), ':')
				b = appendString(b, cookie)
			}
		default:
			b = appendName(b, name, &comma)
			b = appendString(b, joined(values))
		}
	}
	return append(b, '}')
}

// spelling is the n-th way to write name: the bits of n are its capitals.
func spelling(name string, n int) string {
	out := []byte(name)
	for i, c := range out {
		if c >= 'a' && c <= 'z' {
			if n&1 == 1 {
				out[i] = c - 'a' + 'A'
			}
			n >>= 1
		}
	}
	return string(out)
}
