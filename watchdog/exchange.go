package watchdog

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// smallBody is the longest body that is read before the request is sent, to go
// out with its head in one write.
const smallBody = 32 << 10

// sending is the part of an exchange that runs beside the reading of the answer:
// the writing of a body that is not small.
type sending struct {
	sent   atomic.Bool   // the body has ended and its last bytes are being written
	failed atomic.Bool   // err is about to abort the connection
	done   chan struct{} // closed when the goroutine is gone
	err    error         // of reading the body; set before failed and done
}

// roundTrip sends o and returns the head of the answer. The caller reads the
// answer's body and then calls s.end, also after an error: a body that is not
// small is still being sent then.
func (c *conn) roundTrip(o *outgoing, s *sending) (*http.Response, error) {
	bp := buffers.Get().(*[]byte)
	release := true
	defer func() {
		if release {
			buffers.Put(bp)
		}
	}()
	head, err := o.appendHead((*bp)[:0])
	if err != nil {
		return nil, &requestError{err}
	}
	switch {
	case o.length == 0 || o.upgrade != "":
		_, err = c.Write(head)
	case o.length > 0 && int(o.length) <= smallBody && len(head)+int(o.length) <= copySize:
		n := len(head)
		head = head[:n+int(o.length)]
		if _, err := io.ReadFull(o.body, head[n:]); err != nil {
			return nil, &requestError{fmt.Errorf("read request body: %w", err)}
		}
		_, err = c.Write(head)
	default:
		if len(head) > copySize-4096 { // a head that fills the buffer goes first
			if _, err := c.Write(head); err != nil {
				return nil, err
			}
			head = head[:0]
		}
		release = false
		s.done = make(chan struct{})
		go func() { // ends with the body, or when the connection is aborted
			defer close(s.done)
			defer buffers.Put(bp)
			if s.err = s.body(c, o, *bp, len(head)); s.err != nil {
				s.failed.Store(true)
				c.abort()
			}
		}()
	}
	if err != nil {
		return nil, err
	}
	return readResponse(c.br, o.method)
}

// requestError is an error of the request itself: it would fail on any
// connection.
type requestError struct{ error }

func (e *requestError) Unwrap() error { return e.error }

// body writes the first n bytes of buf, the head, and then o.body. It returns
// errors of the body only: when the function stops reading, what it answers
// counts.
func (s *sending) body(c *conn, o *outgoing, buf []byte, n int) error {
	if o.length < 0 {
		return s.chunked(c, o.body, buf, n)
	}
	left := o.length
	for {
		m, err := o.body.Read(buf[n:min(int64(len(buf)), int64(n)+left)])
		left -= int64(m)
		s.sent.Store(left == 0)
		if _, werr := c.Write(buf[:n+m]); werr != nil {
			return nil
		}
		n = 0
		switch {
		case left == 0:
			return nil
		case err == io.EOF:
			return fmt.Errorf("%w: %d bytes are missing", errBodyLength, left)
		case err != nil:
			return fmt.Errorf("read request body: %w", err)
		}
	}
}

// chunked writes the body in chunks as it comes, one write each.
func (s *sending) chunked(c *conn, body io.Reader, buf []byte, n int) error {
	const size, tail = 6, 7 // room for "ffff\r\n" before a chunk, "\r\n0\r\n\r\n" after
	for {
		m, err := body.Read(buf[n+size : len(buf)-tail])
		out := buf[:n]
		if m > 0 {
			out = strconv.AppendInt(out, int64(m), 16)
			out = append(out, "\r\n"...)
			if data := buf[n+size : n+size+m]; len(out) == n+size {
				out = buf[:len(out)+m] // it lies where it belongs
			} else {
				out = append(out, data...)
			}
			out = append(out, "\r\n"...)
		}
		if err == io.EOF {
			out = append(out, "0\r\n\r\n"...)
			s.sent.Store(true)
		}
		if len(out) > 0 {
			if _, werr := c.Write(out); werr != nil {
				return nil
			}
		}
		n = 0
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read request body: %w", err)
		}
	}
}

// end waits for the sending to end and reports whether the connection can be
// used again. An answer that came before the body was read to its end breaks
// the sending off; unblock makes a waiting read of the body return. What the
// body then says is no error of it.
func (s *sending) end(c *conn, unblock func()) bool {
	if s.done == nil {
		return true
	}
	select {
	case <-s.done:
		return s.sent.Load() && s.err == nil
	default:
	}
	if s.sent.Load() || s.failed.Load() { // the last bytes are on their way to who has answered, or never will be
		<-s.done
		return s.err == nil
	}
	c.abort()
	await(s.done, unblock)
	s.err = nil
	return false
}

// underway reports whether the body is still being sent.
func (s *sending) underway() bool { return s.done != nil && !s.sent.Load() }

// closeAfter tells a client whose answer begins before its body has ended not to
// use the connection again: net/http's server closes it when some of the body is
// never read, and a client that reuses it would lose its next request.
func closeAfter(w http.ResponseWriter) { w.Header().Set("Connection", "close") }

// await waits for what may be reading a client's body and has no more use for
// it. Only a client that sends nothing for a while is cut off by unblock: it
// costs the connection, and an answer that is on its way with it.
func await(done <-chan struct{}, unblock func()) {
	patience := time.NewTimer(100 * time.Millisecond)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
		unblock()
		<-done
	}
}

// readResponse reads the head of the answer, past any interim ones.
func readResponse(br *bufio.Reader, method string) (*http.Response, error) {
	for {
		res, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			return nil, err
		}
		if res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			return res, nil
		}
	}
}
