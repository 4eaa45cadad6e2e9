package image

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// direct calls a handler of this program as if it were a server. Bodies stream.
type direct struct{ handler http.Handler }

// RoundTrip returns when the handler has begun to answer. The handler's goroutine ends when it has written its answer, or when the body is
// closed or the request's context ends: writes then fail.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.Host = r.URL.Host
	if in.Body == nil {
		in.Body = http.NoBody
	}
	reader, writer := io.Pipe()
	a := &answer{header: http.Header{}, pipe: writer, body: reader, begun: make(chan struct{}), request: r}
	go func() {
		defer in.Body.Close()
		writer.CloseWithError(a.serve(d.handler, in)) // it never fails
	}()
	select {
	case <-a.begun:
		return a.response, a.err
	case <-r.Context().Done():
		reader.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
}

// answer is the handler's side of a response.
type answer struct {
	header  http.Header
	pipe    *io.PipeWriter
	body    *io.PipeReader
	request *http.Request

	once     sync.Once
	begun    chan struct{} // closed when response or err is there
	response *http.Response
	err      error // instead of a response
}

// errAborted is what a client would see as a connection that was cut.
var errAborted = errors.New("the registry cut the connection")

// serve returns errAborted where the handler panics, as a server's connection would end.
func (a *answer) serve(handler http.Handler, in *http.Request) (err error) {
	defer func() {
		if recover() != nil {
			err = errAborted
			a.once.Do(func() {
				a.err = errAborted
				close(a.begun)
			})
		}
	}()
	handler.ServeHTTP(a, in)
	a.WriteHeader(http.StatusOK)
	return nil
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		length := int64(-1)
		if n, err := strconv.ParseInt(a.header.Get("Content-Length"), 10, 64); err == nil {
			length = n
		}
		a.response = &http.Response{
			Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: a.header.Clone(), ContentLength: length, Body: a.body, Request: a.request,
		}
		close(a.begun)
	})
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.request.Method == http.MethodHead {
		return len(p), nil
	}
	n, err := a.pipe.Write(p)
	if errors.Is(err, io.ErrClosedPipe) {
		return n, http.ErrHandlerTimeout
	}
	return n, err
}
