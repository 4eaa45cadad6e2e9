package api

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// callHeader carries the id of an invocation through gateway, provider and
// function, and back.
const callHeader = "X-Call-Id"

var invokeMethods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodHead}

// invoke sends the request to a function and its answer, as it comes, back.
// When the client goes, the request's context ends and with it the invocation.
func (s *server) invoke(w http.ResponseWriter, r *http.Request) {
	s.forward(w, r, outgoing(r, "/function/", mux.Vars(r)["name"]))
}

// forward sends out, made of r, to the function that r names, and copies what it
// answers.
func (s *server) forward(w http.ResponseWriter, r, out *http.Request) {
	start := time.Now()
	var body *requestBody // nil for none
	if r.ContentLength != 0 {
		// Else net/http would read and drop what a function has not read yet of
		// the request when its answer begins. HTTP/2 needs and knows no such
		// thing.
		_ = http.NewResponseController(w).EnableFullDuplex()
		// net/http, when it reads what is left of the body after the handler,
		// may begin to read the next request twice at once.
		defer r.Body.Close()
		body = &requestBody{ReadCloser: r.Body, length: r.ContentLength}
		out.Body = body
	}
	w.Header().Set(callHeader, out.Header.Get(callHeader))
	answer, err := s.answer(out, mux.Vars(r)["name"])
	if err != nil {
		w.Header().Set(backend.InternalHeader, "proxy") // the value that faas-provider's proxy writes
		w.Header().Set("X-Duration-Seconds", seconds(start))
		body.announce(w)
		if status(err) == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", strings.Join(invokeMethods, ", "))
		}
		s.fail(w, r, err)
		return
	}
	defer s.closeBody(answer.Body)
	header := w.Header()
	for key, values := range answer.Header {
		header[key] = values
	}
	if header.Get("X-Duration-Seconds") == "" {
		header.Set("X-Duration-Seconds", seconds(start))
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", contentType(r))
	}
	body.announce(w)
	w.WriteHeader(answer.StatusCode)
	if r.Method == http.MethodHead || answer.StatusCode == http.StatusNoContent || answer.StatusCode == http.StatusNotModified {
		return // such an answer has no body
	}
	if err := stream(w, answer.Body); err != nil {
		if r.Context().Err() == nil {
			s.log.Error("answer cut short", "function", mux.Vars(r)["name"], "call", header.Get(callHeader), "error", err)
		}
		// The status is sent, so closing the connection is the one way
		// left to tell the client that the answer is not complete.
		panic(http.ErrAbortHandler)
	}
}

// answer checks the request and invokes.
func (s *server) answer(r *http.Request, raw string) (*http.Response, error) {
	if !slices.Contains(invokeMethods, r.Method) {
		return nil, backend.Errorf(errMethod, "method %s is not allowed", r.Method)
	}
	name, err := s.resolve(r.Context(), raw, "")
	if err != nil {
		return nil, err
	}
	count := s.functions.begin(name)
	answer, err := s.backend.Invoke(r.Context(), name, r)
	if err != nil {
		count.failed(err)
		return nil, err
	}
	answer.Body = count.body(answer)
	if answer.StatusCode < 200 || answer.StatusCode > 999 {
		s.closeBody(answer.Body)
		return nil, &backend.FunctionError{Type: "Function.InvalidStatus", Message: fmt.Sprintf("function answered with status %d", answer.StatusCode)}
	}
	return answer, nil
}

func (s *server) closeBody(body io.Closer) {
	if err := body.Close(); err != nil {
		s.log.Debug("close answer", "error", err)
	}
}

// outgoing returns the request as the function shall see it: the path after the
// function's name byte for byte, the headers that faas-provider's proxy adds.
func outgoing(r *http.Request, route, function string) *http.Request {
	out := r.Clone(r.Context())
	path := strings.TrimPrefix(rawPath(r), route+function)
	if path == "" {
		path = "/"
	}
	out.URL = &url.URL{Path: path, RawPath: path, RawQuery: r.URL.RawQuery}
	if decoded, err := url.PathUnescape(path); err == nil {
		out.URL.Path = decoded
	}
	if out.Header.Get(callHeader) == "" {
		out.Header.Set(callHeader, callID())
	}
	if out.Header.Get("X-Forwarded-Host") == "" && r.Host != "" {
		out.Header.Set("X-Forwarded-Host", r.Host)
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && out.Header.Get("X-Forwarded-For") == "" {
		out.Header.Set("X-Forwarded-For", host)
	}
	return out
}

// rawPath returns the path as it stood in the request line: url.URL re-encodes
// what is not valid in a path, such as a quote or UTF-8.
func rawPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	return r.URL.EscapedPath()
}

// stream copies body to the client, each piece when it comes.
func stream(w http.ResponseWriter, body io.Reader) error {
	control := http.NewResponseController(w)
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	for {
		n, err := body.Read(*buffer)
		if n > 0 {
			if _, err := w.Write((*buffer)[:n]); err != nil {
				return fmt.Errorf("write answer: %w", err)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		if err := control.Flush(); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	}
}

// buffers are for stream: pointers to slices of one size.
var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// contentType is the answer's when the function names none: the request's, as
// faas-provider's proxy has it.
func contentType(r *http.Request) string {
	if t := r.Header.Get("Content-Type"); t != "" {
		return t
	}
	return "text/plain"
}

func seconds(since time.Time) string {
	return strconv.FormatFloat(time.Since(since).Seconds(), 'f', 6, 64)
}

// callID returns a random UUID (RFC 9562, version 4), as the gateway makes them.
func callID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:])
}
