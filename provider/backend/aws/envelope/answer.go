package envelope

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

// MaxMetadata bounds status and headers of an answer, in bytes.
const MaxMetadata = 1 << 20

// Metadata is what a streamed answer begins with (AWS: response streaming,
// "HTTP integration response"), then eight NUL bytes. multiValueHeaders is our
// envelope's: the headers that have more than one value, exactly.
type Metadata struct {
	StatusCode        int                 `json:"statusCode"`
	Headers           map[string]string   `json:"headers"`
	Cookies           []string            `json:"cookies"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	FaasLambda        struct {
		ColdStart bool `json:"coldStart"` // the first invocation of a sandbox
	} `json:"faasLambda"`
}

var separator = make([]byte, 8)

// invalid says that a function's answer does not begin as it should.
func invalid(format string, args ...any) error {
	return &backend.FunctionError{Type: "Function.InvalidAnswer", Message: fmt.Sprintf(format, args...)}
}

// ReadMetadata reads the metadata from the chunks of an answer, and returns what is
// left of the last one. Each chunk is valid until the next; an empty one comes with
// the error that ended the answer. Metadata that no HTTP answer can hold are a
// backend.FunctionError.
func ReadMetadata(next func() ([]byte, error)) (m Metadata, rest []byte, err error) {
	var head []byte
	for {
		chunk, err := next()
		if len(chunk) == 0 {
			if err == io.EOF {
				err = invalid("the answer ends after %d bytes, in the middle of its metadata", len(head))
			}
			return Metadata{}, nil, err
		}
		before := max(0, len(head)-len(separator)+1) // the separator may lie across chunks
		head = append(head, chunk...)
		if i := bytes.Index(head[before:], separator); i >= 0 {
			m, err := parse(head[:before+i])
			return m, head[before+i+len(separator):], err
		}
		if len(head) > MaxMetadata {
			return Metadata{}, nil, invalid("the answer's metadata are longer than %d bytes", MaxMetadata)
		}
	}
}

// parse refuses what no HTTP answer can hold.
func parse(data []byte) (Metadata, error) {
	m := Metadata{StatusCode: http.StatusOK}
	if err := json.Unmarshal(data, &m); err != nil {
		return Metadata{}, invalid("decode the answer's metadata: %v", err)
	}
	if m.StatusCode < 200 || m.StatusCode > 999 {
		return Metadata{}, invalid("the answer's status is %d", m.StatusCode)
	}
	for name, value := range m.Headers {
		if !validName(name) || !validValue(value) {
			return Metadata{}, invalid("header %q of the answer is not valid", name)
		}
	}
	for name, values := range m.MultiValueHeaders {
		if !validName(name) || !validValue(strings.Join(values, "")) {
			return Metadata{}, invalid("header %q of the answer is not valid", name)
		}
	}
	if !validValue(strings.Join(m.Cookies, "")) {
		return Metadata{}, invalid("a cookie of the answer is not valid")
	}
	return m, nil
}

// Response is the HTTP response that the Metadata begin.
func (m Metadata) Response(body io.ReadCloser) *http.Response {
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
