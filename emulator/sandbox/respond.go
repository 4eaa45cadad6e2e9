package sandbox

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
)

// buffer takes a whole response.
func (s *Sandbox) buffer(c *call, r *http.Request) *refusal {
	if r.ContentLength > MaxResponse {
		s.state.done(c, true, &Failure{Kind: TooLarge})
		return refuseSize
	}
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	n, err := body.ReadFrom(io.LimitReader(r.Body, MaxResponse+1))
	switch {
	case err != nil:
		s.state.done(c, false, nil)
		return refuseBody
	case n > MaxResponse:
		s.state.done(c, true, &Failure{Kind: TooLarge})
		return refuseSize
	}
	c.begin(Response{ContentType: r.Header.Get("Content-Type"), Body: io.NopCloser(&body)})
	s.state.done(c, true, nil)
	return nil
}

// stream hands on a response as it comes. When its reader has gone, the rest is read and dropped: the function runs to its end.
func (s *Sandbox) stream(c *call, r *http.Request) *refusal {
	reader, writer := io.Pipe()
	s.state.mu.Lock()
	c.stream = writer
	s.state.mu.Unlock()
	c.begin(Response{ContentType: r.Header.Get("Content-Type"), Streaming: true, Body: reader})
	err := copyStream(writer, r.Body)
	failure := streamFailure(err, r.Trailer)
	complete := err == nil || errors.Is(err, errStreamSize)
	switch {
	case failure != nil:
		writer.CloseWithError(failure)
	case !complete:
		writer.CloseWithError(&Failure{Kind: Exited, Status: "connection lost"})
	default:
		_ = writer.Close() // it never fails
	}
	s.state.done(c, complete, failure)
	switch {
	case errors.Is(err, errStreamSize):
		return refuseSize
	case err != nil:
		return refuseBody
	}
	return nil
}

var errStreamSize = errors.New("streamed response is too large")

func copyStream(w io.Writer, body io.Reader) error {
	buf := make([]byte, 64<<10)
	var total int64
	for {
		n, err := body.Read(buf)
		if total += int64(n); total > maxStream {
			return errStreamSize
		}
		if n > 0 && w != nil {
			if _, writeErr := w.Write(buf[:n]); writeErr != nil {
				w = nil // the reader is gone
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// streamFailure reads the trailers by which a runtime tells that it failed in the middle. Error-Body is base64 (aws-lambda-go).
func streamFailure(err error, trailer http.Header) *Failure {
	if errors.Is(err, errStreamSize) {
		return &Failure{Kind: TooLarge}
	}
	kind, body := trailer.Get(headerErrorType), trailer.Get(headerErrorBody)
	if err != nil || kind == "" && body == "" {
		return nil
	}
	payload, decodeErr := base64.StdEncoding.DecodeString(body)
	if decodeErr != nil {
		payload = []byte(body)
	}
	return &Failure{Kind: Posted, Type: kind, Payload: payload}
}
