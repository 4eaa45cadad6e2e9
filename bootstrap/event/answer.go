package event

import (
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// StreamType is the content type of a stream that begins with HTTP metadata.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
const StreamType = "application/vnd.awslambda.http-integration-response"

// separator ends the metadata of a stream.
const separator = "\x00\x00\x00\x00\x00\x00\x00\x00"

// hopByHop are the headers that concern one connection (RFC 9110, 7.6.1).
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// AppendPrelude appends the HTTP metadata with which a streamed answer begins,
// its separator included. multi adds a member that only our provider reads:
// headers with more than one value, as they are. cold adds another one: the
// invocation was the first of its sandbox.
func AppendPrelude(b []byte, status int, h http.Header, multi, cold bool) []byte {
	b = appendMetadata(b, status, h, multi)
	if cold {
		b = append(b, `,"faasLambda":{"coldStart":true}`...)
	}
	return append(append(b, '}'), separator...)
}

// appendMetadata appends the object of the metadata without its closing brace.
func appendMetadata(b []byte, status int, h http.Header, multi bool) []byte {
	b = append(b, `{"statusCode":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"headers":{`...)
	comma, several := false, false
	for name, values := range h {
		if len(values) == 0 || name == "Set-Cookie" || hopByHop[name] {
			continue
		}
		several = several || len(values) > 1
		b = appendName(b, name, &comma)
		b = appendString(b, joined(values))
	}
	b = append(b, '}')
	if cookies := h["Set-Cookie"]; len(cookies) > 0 {
		b = append(b, `,"cookies":`...)
		b = appendStrings(b, cookies)
	}
	if !multi || !several {
		return b
	}
	b = append(b, `,"multiValueHeaders":{`...)
	comma = false
	for name, values := range h {
		if len(values) > 1 && name != "Set-Cookie" && !hopByHop[name] {
			b = appendName(b, name, &comma)
			b = appendStrings(b, values)
		}
	}
	return append(b, '}')
}

func joined(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return strings.Join(values, ", ")
}

func appendName(b []byte, name string, comma *bool) []byte {
	if *comma {
		b = append(b, ',')
	}
	*comma = true
	return append(appendString(b, strings.ToLower(name)), ':')
}

func appendStrings(b []byte, values []string) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, v)
	}
	return append(b, ']')
}

// appendString appends s as a JSON string. Bytes that are no UTF-8 become
// U+FFFD: JSON has no other place for them.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += size
			continue
		}
		i++
	}
	return append(b, '"')
}
