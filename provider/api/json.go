package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// maxBody bounds the JSON of a request: annotations may be long, but what is
// longer than this fits no platform.
const maxBody = 1 << 20

// readJSON decodes the request's body into v. Fields that v does not have are
// ignored: older clients send some. The error says where the body is wrong.
func (s *server) readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if s.opts.ReadTimeout > 0 {
		control := http.NewResponseController(w)
		// Not every ResponseWriter has deadlines; then there is none.
		_ = control.SetReadDeadline(time.Now().Add(s.opts.ReadTimeout))
		// The connection goes on being read, to notice a client that goes.
		defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return backend.Errorf(backend.ErrTooLarge, "request body is larger than %d bytes", tooLarge.Limit)
	case err != nil:
		return backend.Errorf(backend.ErrInvalid, "read request body: %w", err)
	case len(bytes.TrimSpace(body)) == 0:
		return backend.Errorf(backend.ErrInvalid, "request body is empty, want JSON")
	}
	if err := json.Unmarshal(body, v); err != nil {
		return where(body, err)
	}
	return nil
}

// where says at which line and column of body err happened.
func where(body []byte, err error) error {
	var offset int64
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	var corrupt base64.CorruptInputError
	switch {
	case errors.As(err, &corrupt):
		// encoding/json does not say where; a secret's is the one field of bytes.
		return backend.Errorf(backend.ErrInvalid, "decode JSON: rawValue is not base64: %w", err)
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &mistyped):
		offset = mistyped.Offset
		field := mistyped.Field
		if field == "" {
			field = "the body"
		}
		err = errors.New(field + " must be " + kindOf(mistyped.Type) + ", not " + mistyped.Value)
	}
	offset = min(max(offset, 0), int64(len(body)))
	line := 1 + bytes.Count(body[:offset], []byte("\n"))
	column := int(offset) - bytes.LastIndexByte(body[:offset], '\n') - 1
	return backend.Errorf(backend.ErrInvalid, "decode JSON at line %d, column %d: %w", line, max(column, 1), err)
}

// kindOf names what JSON has for a type of Go.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number from 0 on"
	}
	return "a number"
}

// writeJSON answers with v.
func (s *server) writeJSON(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	control := http.NewResponseController(w)
	if s.opts.WriteTimeout > 0 {
		_ = control.SetWriteDeadline(time.Now().Add(s.opts.WriteTimeout))
		// The next request on this connection may be a long invocation.
		defer func() { _ = control.SetWriteDeadline(time.Time{}) }()
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	// A client that went away needs no answer, and nobody else can be told.
	_, _ = w.Write(body)
	_ = control.Flush()
}
