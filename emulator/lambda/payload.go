package lambda

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Limits of an invocation's payload, in bytes.
const (
	maxSyncPayload  = 6 << 20
	maxAsyncPayload = 1 << 20
)

// maxClientContext is the largest X-Amz-Client-Context, as it comes.
const maxClientContext = 3583

// errExceeded means that a body is larger than allowed.
var errExceeded = errors.New("body is too large")

// maxDrain is how much of a body that is too large is read and dropped, so that its sender gets to reading the answer.
const maxDrain = 256 << 20

// readBody reads a request's body of at most limit bytes.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength, limit)) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(r.Body, limit+1))
	if err == nil && n > limit {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain) // it is refused anyhow
		err = errExceeded
	}
	return b.Bytes(), err
}

// readPayload reads an invocation's event. An absent one is {} to the function (AWS).
func readPayload(r *http.Request, kind string) ([]byte, error) {
	limit := int64(maxSyncPayload)
	if kind == invokeAsync {
		limit = maxAsyncPayload
	}
	payload, err := readBody(r, limit)
	if errors.Is(err, errExceeded) {
		size := max(r.ContentLength, limit+1)
		return nil, &apiError{status: http.StatusRequestEntityTooLarge, code: "RequestTooLargeException", message: fmt.Sprintf(
			"%d byte payload is too large for the %s invocation type (limit %d bytes)", size, kind, limit)}
	}
	if err != nil {
		return nil, malformed(err)
	}
	if len(payload) == 0 {
		return []byte("{}"), nil
	}
	if !json.Valid(payload) {
		return nil, &apiError{status: http.StatusBadRequest, code: "InvalidRequestContentException",
			message: "Could not parse request body into json: Could not parse payload into json: " + parserWords(payload)}
	}
	return payload, nil
}

// parserWords describes broken JSON as AWS's parser does in the common cases: a bare word, an early end, a wrong character.
func parserWords(payload []byte) string {
	var syntax *json.SyntaxError
	var any json.RawMessage
	err := json.Unmarshal(payload, &any)
	if !errors.As(err, &syntax) {
		return "Unexpected character"
	}
	if strings.Contains(err.Error(), "unexpected end") {
		return "Unexpected end-of-input"
	}
	at := max(0, int(syntax.Offset)-1)
	start := at
	for start > 0 && isWord(payload[start-1]) {
		start--
	}
	end := at
	for end < len(payload) && isWord(payload[end]) {
		end++
	}
	if end > start {
		return fmt.Sprintf("Unrecognized token '%s': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
			payload[start:min(end, start+256)])
	}
	return fmt.Sprintf("Unexpected character ('%c' (code %d))", payload[at], payload[at])
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$'
}

// readClientContext decodes the header, which carries base64 of JSON.
func readClientContext(h http.Header) (string, error) {
	value := h.Get("X-Amz-Client-Context")
	if value == "" {
		return "", nil
	}
	decoded, err := base64.StdEncoding.DecodeString(value)
	if err != nil || !json.Valid(decoded) || len(value) > maxClientContext {
		return "", &apiError{status: http.StatusBadRequest, code: "InvalidRequestContentException",
			message: "Client context must be a valid Base64-encoded JSON object."}
	}
	return string(bytes.TrimSpace(decoded)), nil
}

// traceID is the caller's X-Ray header, or a new one that asks for no trace.
func traceID(h http.Header) string {
	if id := h.Get("X-Amzn-Trace-Id"); id != "" {
		return id
	}
	var b [20]byte
	_, _ = rand.Read(b[:]) // it never fails (crypto/rand)
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), b[:12], b[12:])
}
