package runtimeapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	errorTypeHeader = "Lambda-Runtime-Function-Error-Type"
	errorBodyHeader = "Lambda-Runtime-Function-Error-Body"

	bufferSize = 16 << 10
	chunkHead  = 6 // "ffff\r\n": every chunk that goes through the buffer has four digits
)

// Response is the answer to an invocation on its way: an io.Writer whose bytes
// go out when its buffer is full, at Flush and at Close.
type Response struct {
	client *Client
	ctx    context.Context // of the call that a Response is, as http.Request has one
	call   string
	conn   *conn
	stop   func() bool

	buf   []byte // what is not sent: a head, then the chunk that begins at chunk
	chunk int    // where the room for the size of the open chunk is; -1: none open
	sent  bool   // something is
	err   error  // the first of writing
}

// Respond begins the answer to invocation id. It goes out as a stream: whether
// the caller sees one is decided by how it called.
func (c *Client) Respond(ctx context.Context, id, contentType string) (*Response, error) {
	r, err := c.begin(ctx, id, contentType)
	if err != nil {
		return nil, err
	}
	r.buf = append(r.buf, "Lambda-Runtime-Function-Response-Mode: streaming\r\n"+
		"Transfer-Encoding: chunked\r\n"+
		"Trailer: "+errorTypeHeader+", "+errorBodyHeader+"\r\n\r\n"...)
	return r, nil
}

// RespondWhole answers invocation id with parts, one after another.
func (c *Client) RespondWhole(ctx context.Context, id, contentType string, parts ...[]byte) error {
	r, err := c.begin(ctx, id, contentType)
	if err != nil {
		return err
	}
	length := 0
	for _, p := range parts {
		length += len(p)
	}
	r.buf = append(appendField(r.buf, "Content-Length", strconv.Itoa(length)), "\r\n"...)
	r.send(parts...)
	return r.finish()
}

func (c *Client) begin(ctx context.Context, id, contentType string) (*Response, error) {
	conn, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	path := version + "invocation/" + id + "/response"
	r := &Response{client: c, ctx: ctx, call: "POST " + path, conn: conn, chunk: -1}
	r.stop = context.AfterFunc(ctx, conn.close)
	r.buf = c.appendHead(make([]byte, 0, bufferSize), http.MethodPost, path)
	if contentType != "" && isValue(contentType) {
		r.buf = appendField(r.buf, "Content-Type", contentType)
	}
	return r, nil
}

func isValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// Write takes p as the next bytes of the answer.
func (r *Response) Write(p []byte) (int, error) {
	if len(p) == 0 || r.err != nil {
		return 0, r.err
	}
	if r.chunk < 0 {
		r.open()
	}
	if len(r.buf)+len(p)+2 <= bufferSize {
		r.buf = append(r.buf, p...)
		return len(p), nil
	}
	if len(p) < bufferSize/2 {
		if r.err = r.Flush(); r.err != nil {
			return 0, r.err
		}
		r.open()
		r.buf = append(r.buf, p...)
		return len(p), nil
	}
	// p is large: it goes out from where it is.
	r.close()
	r.buf = append(strconv.AppendInt(r.buf, int64(len(p)), 16), "\r\n"...)
	r.send(p, crlf)
	if r.err != nil {
		return 0, r.err
	}
	return len(p), nil
}

var crlf = []byte("\r\n")

// open makes room for the size of a chunk.
func (r *Response) open() {
	r.chunk = len(r.buf)
	r.buf = append(r.buf, "0000\r\n"...)
}

// close ends the open chunk, or takes it back when nothing is in it.
func (r *Response) close() {
	if r.chunk < 0 {
		return
	}
	size := len(r.buf) - r.chunk - chunkHead
	if size == 0 {
		r.buf = r.buf[:r.chunk]
	} else {
		// RFC 9112, 7.1: a size may have leading zeros.
		const digits = "0123456789abcdef"
		for i := range 4 {
			r.buf[r.chunk+i] = digits[size>>(12-4*i)&15]
		}
		r.buf = append(r.buf, crlf...)
	}
	r.chunk = -1
}

// Flush sends what has been written.
func (r *Response) Flush() error {
	r.close()
	if len(r.buf) > 0 && r.err == nil {
		r.send()
	}
	return r.err
}

// send writes the buffer and then parts. A connection that turns out to be
// closed before anything of the answer was sent is replaced.
func (r *Response) send(parts ...[]byte) {
	write := func() (err error) {
		if len(parts) == 0 {
			_, err = r.conn.Write(r.buf)
			return err
		}
		all := append(net.Buffers{r.buf}, parts...)
		_, err = all.WriteTo(r.conn.Conn)
		return err
	}
	if r.err = write(); r.err != nil && !r.sent && r.conn.reused && r.ctx.Err() == nil {
		r.stop()
		r.conn.close()
		conn, err := r.client.dial(r.ctx)
		if err != nil {
			r.err = errors.Join(r.err, err)
			return
		}
		r.conn, r.stop = conn, context.AfterFunc(r.ctx, conn.close)
		r.err = write()
	}
	r.sent = true
	r.buf = r.buf[:0]
}

// Close ends the answer and returns what the API says to it, a *StatusError
// when that is no success.
func (r *Response) Close() error {
	r.close()
	r.buf = append(r.buf, "0\r\n\r\n"...)
	if r.err == nil {
		r.send()
	}
	return r.finish()
}

// Fail ends an answer that cannot be completed: the failure goes into the
// trailers. Close must not be called after it.
func (r *Response) Fail(f Failure) error {
	body, err := f.body()
	if err != nil {
		return err
	}
	r.close()
	r.buf = append(r.buf, "0\r\n"...)
	r.buf = appendField(r.buf, errorTypeHeader, f.Type)
	r.buf = appendField(r.buf, errorBodyHeader, base64.StdEncoding.EncodeToString(body))
	r.buf = append(r.buf, crlf...)
	if r.err == nil {
		r.send()
	}
	return r.finish()
}

// finish reads the API's answer. An API that has had enough closes its side:
// the answer to that is then worth more than the error of writing.
func (r *Response) finish() error {
	if r.err != nil {
		_ = r.conn.SetReadDeadline(time.Now().Add(time.Second)) // a closed connection has no answer to wait for
	}
	res, err := r.client.answer(r.conn, r.stop)
	if err != nil {
		if r.ctx.Err() != nil {
			err = context.Cause(r.ctx)
		}
		return fmt.Errorf("%s: %w", r.call, errors.Join(r.err, err))
	}
	if r.err != nil {
		res.Close = true
	}
	if err := checkStatus(r.call, res); err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return fmt.Errorf("%s: %w", r.call, err)
	}
	return r.err
}

// Failure is an invocation or an initialization that failed.
type Failure struct {
	Type    string // (Runtime|Function).Name, with Name in letters
	Message string
}

func (f Failure) body() ([]byte, error) {
	body, err := json.Marshal(struct {
		Message string   `json:"errorMessage"`
		Type    string   `json:"errorType"`
		Trace   []string `json:"stackTrace"`
	}{f.Message, f.Type, []string{}})
	if err != nil {
		return nil, fmt.Errorf("encode failure: %w", err)
	}
	return body, nil
}

// Fail reports that invocation id failed.
func (c *Client) Fail(ctx context.Context, id string, f Failure) error {
	return c.report(ctx, "invocation/"+id+"/error", f)
}

// FailInit reports that the function cannot be initialized. The process is to
// end soon after.
func (c *Client) FailInit(ctx context.Context, f Failure) error {
	return c.report(ctx, "init/error", f)
}

func (c *Client) report(ctx context.Context, path string, f Failure) error {
	body, err := f.body()
	if err != nil {
		return err
	}
	res, err := c.call(ctx, http.MethodPost, version+path, http.Header{
		"Content-Type": {"application/vnd.aws.lambda.error+json"}, errorTypeHeader: {f.Type},
	}, body)
	if err != nil {
		return err
	}
	return res.Body.Close()
}
