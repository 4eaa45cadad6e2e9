// Package runtimeapi is a client of the Lambda Runtime API and of the part of
// the Extensions API by which a runtime learns of its end. It moves events and
// answers without holding them; what they mean is not its concern.
//
// It writes HTTP/1.1 on its own connections instead of going through
// http.Transport: a loop that does one thing at a time needs neither its
// goroutines nor its hand-overs, which cost more than the calls themselves.
package runtimeapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const version = "/2018-06-01/runtime/"

// StatusError is an answer of the API that is no success.
type StatusError struct {
	Call   string // such as "POST invocation/…/response"
	Status int
	Body   string // at most 1 KiB of it
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: status %d: %s", e.Call, e.Status, e.Body)
}

// Client calls one Runtime API. A Client serves one loop: only the body of an
// invocation may be read while another call runs.
type Client struct {
	addr  string
	agent string

	mu   sync.Mutex // guards idle
	idle []*conn
}

// New returns a client of the API at addr (host:port, AWS_LAMBDA_RUNTIME_API).
// It connects directly: 169.254.100.1 must never be asked through a proxy.
func New(addr, agent string) *Client { return &Client{addr: addr, agent: agent} }

// Close closes the connections that are idle.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.idle {
		conn.close()
	}
	c.idle = nil
}

type conn struct {
	net.Conn
	br     *bufio.Reader
	reused bool
}

func (c *conn) close() { _ = c.Conn.Close() } // whatever was on it is answered or given up

// get returns a connection that no call is using.
func (c *Client) get(ctx context.Context) (*conn, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		conn := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		conn.reused = true
		return conn, nil
	}
	c.mu.Unlock()
	return c.dial(ctx)
}

func (c *Client) dial(ctx context.Context) (*conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return nil, fmt.Errorf("connect to the runtime API: %w", err)
	}
	return &conn{Conn: nc, br: bufio.NewReaderSize(nc, 8<<10)}, nil
}

func (c *Client) put(conn *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, conn)
}

// Invocation is what /next answers. Body must be read or closed before the next
// call of Next.
type Invocation struct {
	ID              string
	Deadline        time.Time // zero when the API did not say
	TraceID         string
	FunctionARN     string
	ClientContext   string
	CognitoIdentity string
	TenantID        string
	Body            io.ReadCloser
	Length          int64 // of Body; -1 when unknown
}

// Next waits for the next invocation, for as long as it takes: while it waits
// the process may be frozen for hours.
func (c *Client) Next(ctx context.Context) (*Invocation, error) {
	res, err := c.call(ctx, http.MethodGet, version+"invocation/next", nil, nil)
	if err != nil {
		return nil, err
	}
	h := res.Header
	inv := &Invocation{
		ID:              h.Get("Lambda-Runtime-Aws-Request-Id"),
		TraceID:         h.Get("Lambda-Runtime-Trace-Id"),
		FunctionARN:     h.Get("Lambda-Runtime-Invoked-Function-Arn"),
		ClientContext:   h.Get("Lambda-Runtime-Client-Context"),
		CognitoIdentity: h.Get("Lambda-Runtime-Cognito-Identity"),
		TenantID:        h.Get("Lambda-Runtime-Aws-Tenant-Id"),
		Body:            res.Body,
		Length:          res.ContentLength,
	}
	if inv.ID == "" || !isSegment(inv.ID) {
		return nil, errors.Join(fmt.Errorf("read next invocation: request id %q is none", inv.ID), res.Body.Close())
	}
	if ms, err := strconv.ParseInt(h.Get("Lambda-Runtime-Deadline-Ms"), 10, 64); err == nil {
		inv.Deadline = time.UnixMilli(ms)
	}
	return inv, nil
}

// isSegment reports whether s can stand in a URL's path as it is.
func isSegment(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '/' || c == '?' || c == '#' || c == '%' {
			return false
		}
	}
	return true
}

// call makes one call with a whole body and returns an answer of status 2xx,
// whose body must be closed. Any other is a *StatusError. A GET that found its
// connection closed is sent once more.
func (c *Client) call(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	conn, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	res, err := c.callOn(ctx, conn, method, path, header, body)
	if err != nil && conn.reused && method == http.MethodGet && ctx.Err() == nil {
		if conn, err = c.dial(ctx); err != nil {
			return nil, err
		}
		res, err = c.callOn(ctx, conn, method, path, header, body)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return res, checkStatus(method+" "+path, res)
}

func (c *Client) callOn(ctx context.Context, conn *conn, method, path string, header http.Header, body []byte) (*http.Response, error) {
	stop := context.AfterFunc(ctx, conn.close)
	head := c.appendHead(make([]byte, 0, 512+len(body)), method, path)
	for name, values := range header {
		for _, v := range values {
			head = appendField(head, name, v)
		}
	}
	if method != http.MethodGet {
		head = appendField(head, "Content-Length", strconv.Itoa(len(body)))
	}
	head = append(append(head, "\r\n"...), body...)
	if _, err := conn.Write(head); err != nil {
		stop()
		conn.close()
		return nil, err
	}
	return c.answer(conn, stop)
}

// answer reads the head of an answer. When its body has been read, or closed
// early, the connection goes back or is closed.
func (c *Client) answer(conn *conn, stop func() bool) (*http.Response, error) {
	res, err := http.ReadResponse(conn.br, nil)
	if err != nil {
		stop()
		conn.close()
		return nil, err
	}
	b := &body{ReadCloser: res.Body, client: c, conn: conn, stop: stop, last: res.Close}
	res.Body = b
	if res.ContentLength == 0 {
		b.release(true)
	}
	return res, nil
}

func (c *Client) appendHead(b []byte, method, path string) []byte {
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.addr...)
	b = append(b, "\r\nUser-Agent: "...)
	b = append(b, c.agent...)
	return append(b, "\r\n"...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// checkStatus turns an answer that is no success into an error.
func checkStatus(call string, res *http.Response) error {
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	return errors.Join(&StatusError{Call: call, Status: res.StatusCode, Body: string(text)}, err, res.Body.Close())
}

// body gives its connection back at its end.
type body struct {
	io.ReadCloser
	client *Client
	conn   *conn // nil when given back
	stop   func() bool
	last   bool // the API closes the connection
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.release(err == io.EOF)
	}
	return n, err
}

// Close reads what is left: the API is to see its answer taken.
func (b *body) Close() error {
	if b.conn == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, b)
	b.release(false)
	return err
}

func (b *body) release(whole bool) {
	if b.conn == nil {
		return
	}
	if stopped := b.stop(); whole && stopped && !b.last {
		b.client.put(b.conn)
	} else {
		b.conn.close()
	}
	b.conn = nil
}
