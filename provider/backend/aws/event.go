package aws

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// maxPayload is the largest request of a synchronous invocation, in bytes: 6 MiB
// and a little (recorded on the real service).
const maxPayload = 6_291_556

// envelopeVersion is that of the field faasLambda, docs/architecture.md.
const envelopeVersion = 1

// event is an HTTP request in the form in which function URLs and API Gateway
// send one (AWS: payload format version 2.0), with our envelope. The body comes
// last, after everything that says how to read it, so that bootstrap can stream
// it: encode appends it.
type event struct {
	Version        string            `json:"version"`
	RouteKey       string            `json:"routeKey"`
	RawPath        string            `json:"rawPath"`
	RawQueryString string            `json:"rawQueryString"`
	Cookies        []string          `json:"cookies,omitempty"`
	Headers        map[string]string `json:"headers"`
	RequestContext requestContext    `json:"requestContext"`
	Envelope       envelope          `json:"faasLambda"`
}

type requestContext struct {
	AccountID    string      `json:"accountId"`
	APIID        string      `json:"apiId"`
	DomainName   string      `json:"domainName"`
	DomainPrefix string      `json:"domainPrefix"`
	HTTP         httpContext `json:"http"`
	RequestID    string      `json:"requestId"`
	RouteKey     string      `json:"routeKey"`
	Stage        string      `json:"stage"`
	Time         string      `json:"time"`
	TimeEpoch    int64       `json:"timeEpoch"`
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

type envelope struct {
	Version           int                 `json:"version"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
}

// hopByHop headers belong to one connection (RFC 9110, section 7.6.1).
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Expect": true,
}

// newEvent describes r, whose URL is the one that the function shall see, with
// a body of length bytes.
func newEvent(r *http.Request, length int, now time.Time) (event, error) {
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		source = r.RemoteAddr
	}
	prefix, _, _ := strings.Cut(r.Host, ".")
	e := event{
		Version: "2.0", RouteKey: "$default", RawPath: rawPath(r), RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{"host": r.Host},
		RequestContext: requestContext{
			AccountID: "anonymous", APIID: "faas-lambda", DomainName: r.Host, DomainPrefix: prefix,
			HTTP:      httpContext{Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: source, UserAgent: r.UserAgent()},
			RequestID: r.Header.Get("X-Call-Id"), RouteKey: "$default", Stage: "$default",
			Time: now.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
		},
		Envelope: envelope{Version: envelopeVersion},
	}
	for name, values := range r.Header {
		if hopByHop[name] || len(values) == 0 || namedBy(r.Header["Connection"], name) {
			continue
		}
		if !utf8.ValidString(strings.Join(values, "")) {
			return e, backend.Errorf(backend.ErrInvalid, "header %s is not UTF-8, which an event of Lambda cannot carry", name)
		}
		e.add(name, values)
	}
	if !utf8.ValidString(e.RawPath) || !utf8.ValidString(e.RawQueryString) {
		return e, backend.Errorf(backend.ErrInvalid, "the request's path or query is not UTF-8, which an event of Lambda cannot carry: write it percent-encoded")
	}
	// A chunked body has a length by now.
	if length > 0 || r.ContentLength != 0 {
		e.Headers["content-length"] = strconv.Itoa(length)
	}
	return e, nil
}

// rawPath returns the path as the client wrote it.
func rawPath(r *http.Request) string {
	switch {
	case r.URL.RawPath != "":
		return r.URL.RawPath
	case r.URL.Path == "":
		return "/"
	}
	return r.URL.EscapedPath()
}

// add takes over one header.
func (e *event) add(name string, values []string) {
	key := strings.ToLower(name)
	if name == "Cookie" {
		for _, line := range values {
			e.Cookies = append(e.Cookies, strings.Split(line, "; ")...)
		}
		return
	}
	if len(values) > 1 {
		if e.Envelope.MultiValueHeaders == nil {
			e.Envelope.MultiValueHeaders = map[string][]string{}
		}
		e.Envelope.MultiValueHeaders[key] = values
	}
	e.Headers[key] = strings.Join(values, ",")
}

// namedBy says whether a Connection header names the header.
func namedBy(connection []string, name string) bool {
	for _, line := range connection {
		for token := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(token), name) {
				return true
			}
		}
	}
	return false
}

// encode returns the payload of the invocation, with r's body read into it.
func encode(r *http.Request, now time.Time) ([]byte, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	e, err := newEvent(r, len(body), now)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(2048 + base64.StdEncoding.EncodedLen(len(body)))
	if err := encodeJSON(&out, e); err != nil {
		return nil, err
	}
	if err := appendBody(&out, body); err != nil {
		return nil, err
	}
	if out.Len() > maxPayload {
		return nil, tooLarge(out.Len())
	}
	return out.Bytes(), nil
}

// encodeJSON writes v without the escaping that HTML would need and without a
// line's end.
func encodeJSON(out *bytes.Buffer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	out.Truncate(out.Len() - 1)
	return nil
}

func tooLarge(n int) error {
	return backend.Errorf(backend.ErrTooLarge, "the request takes at least %d bytes as an event, more than the %d that Lambda takes", n, maxPayload)
}

// readBody reads the body, as far as it could fit into a payload at all.
func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > maxPayload {
		return nil, tooLarge(int(r.ContentLength))
	}
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(io.LimitReader(r.Body, maxPayload+1)); err != nil {
		return nil, backend.Errorf(backend.ErrInvalid, "read request body: %w", err)
	}
	if body.Len() > maxPayload {
		return nil, tooLarge(body.Len())
	}
	return body.Bytes(), nil
}

// appendBody closes the JSON object in out with the body in it: as a string
// when it is text that takes no more room so, else in base64.
func appendBody(out *bytes.Buffer, body []byte) error {
	out.Truncate(out.Len() - 1)
	if plain(body) {
		out.WriteString(`,"isBase64Encoded":false,"body":`)
		if err := encodeJSON(out, string(body)); err != nil {
			return err
		}
		return out.WriteByte('}')
	}
	out.WriteString(`,"isBase64Encoded":true,"body":"`)
	out.Write(base64.StdEncoding.AppendEncode(out.AvailableBuffer(), body))
	_, err := out.WriteString(`"}`)
	return err
}

// plain tells whether body is shorter as a JSON string than in base64.
func plain(body []byte) bool {
	if !utf8.Valid(body) {
		return false
	}
	escaped := 0
	for _, c := range body {
		switch {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
			escaped++
		case c < ' ':
			escaped += 5
		case c == 0xe2: // may begin U+2028 or U+2029, which are escaped
			escaped += 3
		}
	}
	return escaped <= len(body)/3
}
