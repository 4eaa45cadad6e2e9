package api

import (
	"io"
	"net/http"
	"sync/atomic"
)

// maxLeft is how much of a request net/http reads after its answer, to keep the
// connection for the next one (net/http, maxPostHandlerReadBytes). When there is
// more it closes the connection, and whoever has sent the next request on it
// already gets no answer.
const maxLeft = 256 << 10

// requestBody knows how much of a request has been read.
type requestBody struct {
	io.ReadCloser
	length int64 // -1: unknown
	read   atomic.Int64
	ended  atomic.Bool
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	if err != nil {
		b.ended.Store(true)
	}
	return n, err
}

// announce tells the client, before an answer begins, that its connection will
// not take another request, if net/http may close it.
func (b *requestBody) announce(w http.ResponseWriter) {
	if b == nil || b.ended.Load() || b.length >= 0 && b.length-b.read.Load() <= maxLeft {
		return
	}
	w.Header().Set("Connection", "close")
}
