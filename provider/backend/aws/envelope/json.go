package envelope

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Append appends the event to dst up to its body: an object that is not closed
// yet. It is written by hand because each invocation pays for it.
func (e *Event) Append(dst []byte, body *Body) []byte {
	r := e.request
	dst = append(dst, `{"version":"2.0","routeKey":"$default","rawPath":`...)
	dst = appendString(dst, e.path)
	dst = append(dst, `,"rawQueryString":`...)
	dst = appendString(dst, r.URL.RawQuery)
	dst = appendCookies(dst, r.Header["Cookie"])
	dst = e.appendHeaders(dst)
	prefix, _, _ := strings.Cut(r.Host, ".")
	dst = append(dst, `,"requestContext":{"accountId":"anonymous","apiId":"faas-lambda","domainName":`...)
	dst = appendString(dst, r.Host)
	dst = append(dst, `,"domainPrefix":`...)
	dst = appendString(dst, prefix)
	dst = append(dst, `,"http":{"method":`...)
	dst = appendString(dst, r.Method)
	dst = append(dst, `,"path":`...)
	dst = appendString(dst, r.URL.Path)
	dst = append(dst, `,"protocol":`...)
	dst = appendString(dst, r.Proto)
	dst = append(dst, `,"sourceIp":`...)
	dst = appendString(dst, e.source)
	dst = append(dst, `,"userAgent":`...)
	dst = appendString(dst, r.UserAgent())
	dst = append(dst, `},"requestId":`...)
	dst = appendString(dst, r.Header.Get("X-Call-Id"))
	dst = append(dst, `,"routeKey":"$default","stage":"$default","time":"`...)
	dst = e.time.UTC().AppendFormat(dst, "02/Jan/2006:15:04:05 -0700")
	dst = append(dst, `","timeEpoch":`...)
	dst = strconv.AppendInt(dst, e.time.UnixMilli(), 10)
	dst = append(dst, '}')
	return e.appendEnvelope(dst, body)
}

func (e *Event) appendHeaders(dst []byte) []byte {
	dst = append(dst, `,"headers":{`...)
	// A chunked body has a length by now, where it is in the event.
	if e.Length > 0 || e.Length == 0 && e.request.ContentLength != 0 {
		dst = append(dst, `"content-length":"`...)
		dst = strconv.AppendInt(dst, e.Length, 10)
		dst = append(dst, `",`...)
	}
	dst = append(dst, `"host":`...)
	dst = appendString(dst, e.request.Host)
	for _, name := range e.names {
		dst = append(dst, ',')
		dst = appendString(dst, strings.ToLower(name))
		dst = append(dst, ':')
		if values := e.values(name); len(values) == 1 {
			dst = appendString(dst, values[0])
		} else {
			dst = appendString(dst, strings.Join(values, ","))
		}
	}
	return append(dst, '}')
}

func appendCookies(dst []byte, lines []string) []byte {
	if len(lines) == 0 {
		return dst
	}
	dst = append(dst, `,"cookies":[`...)
	first := true
	for _, line := range lines {
		for cookie := range strings.SplitSeq(line, "; ") {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendString(dst, cookie)
		}
	}
	return append(dst, ']')
}

// appendEnvelope appends our own field: headers with more than one value,
// exactly, and where the body is.
func (e *Event) appendEnvelope(dst []byte, body *Body) []byte {
	version := envelopeVersion
	if body != nil {
		version = envelopeVersionBody
	}
	dst = append(dst, `,"faasLambda":{"version":`...)
	dst = strconv.AppendInt(dst, int64(version), 10)
	first := true
	for _, name := range e.names {
		values := e.values(name)
		if len(values) < 2 {
			continue
		}
		if first {
			dst = append(dst, `,"multiValueHeaders":{`...)
		} else {
			dst = append(dst, ',')
		}
		first = false
		dst = appendString(dst, strings.ToLower(name))
		dst = append(dst, ':')
		for i, value := range values {
			dst = append(dst, "[,"[min(i, 1)])
			dst = appendString(dst, value)
		}
		dst = append(dst, ']')
	}
	if !first {
		dst = append(dst, '}')
	}
	if body != nil {
		dst = body.append(dst)
	}
	return append(dst, '}')
}

func (o *Body) append(dst []byte) []byte {
	dst = append(dst, `,"body":{`...)
	if o.URL != "" {
		dst = append(dst, `"url":`...)
		dst = appendString(dst, o.URL)
		dst = append(dst, ',')
	}
	if o.Encoding != "" {
		dst = append(dst, `"encoding":`...)
		dst = appendString(dst, o.Encoding)
		dst = append(dst, ',')
	}
	dst = append(dst, `"size":`...)
	dst = strconv.AppendInt(dst, o.Size, 10)
	return append(dst, '}')
}

// AppendBody closes the object with the body in it: as a string when that takes
// no more room, else in base64.
func AppendBody(dst, body []byte) []byte {
	if plain(body) {
		dst = append(dst, `,"isBase64Encoded":false,"body":`...)
		dst = appendString(dst, body)
		return append(dst, '}')
	}
	return AppendBase64(dst, body)
}

// AppendBase64 closes the object with the body in base64.
func AppendBase64(dst, body []byte) []byte {
	dst = append(dst, `,"isBase64Encoded":true,"body":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, body)
	return append(dst, `"}`...)
}

// BodySize returns how many bytes AppendBody adds, at most.
func BodySize(body []byte) int {
	const around = len(`,"isBase64Encoded":false,"body":""}`)
	if n, text := plainSize(body); text {
		return around + min(n, base64.StdEncoding.EncodedLen(len(body)))
	}
	return around + base64.StdEncoding.EncodedLen(len(body))
}

// plain tells whether body is shorter as a JSON string than in base64.
func plain(body []byte) bool {
	n, text := plainSize(body)
	return text && n <= base64.StdEncoding.EncodedLen(len(body))
}

// plainSize returns how long body is inside a JSON string, and whether it can
// be in one.
func plainSize(body []byte) (int, bool) {
	n := len(body)
	for _, c := range body {
		n += int(escapes[c])
	}
	return n, utf8.Valid(body)
}

// escapes says by how many bytes a byte grows in a JSON string.
var escapes = func() (table [256]uint8) {
	for c := range ' ' {
		table[c] = 5
	}
	for _, c := range "\"\\\n\r\t" {
		table[c] = 1
	}
	return table
}()

const hexDigits = "0123456789abcdef"

// appendString appends s, which is UTF-8, as a JSON string (RFC 8259, section 7).
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if escapes[c] == 0 {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
