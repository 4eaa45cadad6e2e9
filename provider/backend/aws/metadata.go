package aws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// maxMetadata bounds status and headers of an answer, in bytes.
const maxMetadata = 1 << 20

// metadata is what a streamed answer begins with (AWS: response streaming,
// "HTTP integration response"), then eight NUL bytes. multiValueHeaders is our
// envelope's: the headers that have more than one value, exactly.
type metadata struct {
	StatusCode        int                 `json:"statusCode"`
	Headers           map[string]string   `json:"headers"`
	Cookies           []string            `json:"cookies"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	FaasLambda        struct {
		ColdStart bool `json:"coldStart"` // the first invocation of a sandbox
	} `json:"faasLambda"`
}

var separator = make([]byte, 8)

// errMetadata says that a function's answer does not begin as it should.
func errMetadata(format string, args ...any) error {
	return &backend.FunctionError{Type: "Function.InvalidAnswer", Message: fmt.Sprintf(format, args...)}
}

// readMetadata reads the metadata and leaves the rest in s.
func readMetadata(s *stream) (metadata, error) {
	var head []byte
	for {
		s.next()
		if len(s.chunk) == 0 {
			if s.err == io.EOF {
				return metadata{}, errMetadata("the answer ends after %d bytes, in the middle of its metadata", len(head))
			}
			return metadata{}, s.err
		}
		before := max(0, len(head)-len(separator)+1) // the separator may lie across chunks
		head = append(head, s.chunk...)
		s.chunk = nil
		if i := bytes.Index(head[before:], separator); i >= 0 {
			s.chunk = head[before+i+len(separator):]
			return parseMetadata(head[:before+i])
		}
		if len(head) > maxMetadata {
			return metadata{}, errMetadata("the answer's metadata are longer than %d bytes", maxMetadata)
		}
	}
}

// parseMetadata refuses what no HTTP answer can hold.
func parseMetadata(data []byte) (metadata, error) {
	m := metadata{StatusCode: http.StatusOK}
	if err := json.Unmarshal(data, &m); err != nil {
		return metadata{}, errMetadata("decode the answer's metadata: %v", err)
	}
	if m.StatusCode < 200 || m.StatusCode > 999 {
		return metadata{}, errMetadata("the answer's status is %d", m.StatusCode)
	}
	for name, value := range m.Headers {
		if !validName(name) || !validValue(value) {
			return metadata{}, errMetadata("header %q of the answer is not valid", name)
		}
	}
	for name, values := range m.MultiValueHeaders {
		if !validName(name) || !validValue(strings.Join(values, "")) {
			return metadata{}, errMetadata("header %q of the answer is not valid", name)
		}
	}
	if !validValue(strings.Join(m.Cookies, "")) {
		return metadata{}, errMetadata("a cookie of the answer is not valid")
	}
	return m, nil
}

// response is the HTTP response that the metadata begin.
func (m metadata) response(body io.ReadCloser) *http.Response {
	header := http.Header{}
	for name, value := range m.Headers {
		header.Set(name, value)
	}
	for name, values := range m.MultiValueHeaders {
		header.Del(name)
		for _, value := range values {
			header.Add(name, value)
		}
	}
	if len(m.Cookies) > 0 {
		header["Set-Cookie"] = m.Cookies
	}
	for name := range hopByHop {
		header.Del(name)
	}
	length := int64(-1)
	if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		length = n
	} else {
		header.Del("Content-Length")
	}
	return &http.Response{StatusCode: m.StatusCode, Header: header, ContentLength: length, Body: body}
}

// validName tells whether name is a token (RFC 9110, section 5.6.2).
func validName(name string) bool {
	for _, c := range []byte(name) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// validValue tells whether value can stand in one line of a header.
func validValue(value string) bool {
	for _, c := range []byte(value) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
