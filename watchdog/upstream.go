package watchdog

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	maxIdle  = 100 // idle connections kept to the function
	maxFresh = time.Second
	copySize = 64 << 10
)

// buffers are what bodies are moved through. An *[]byte, so that putting one
// back allocates nothing.
var buffers = sync.Pool{New: func() any { b := make([]byte, copySize); return &b }}

// upstream is the function's HTTP server and our connections to it. It stands
// in for http.Transport, whose two goroutines per connection cost more than the
// rest of a hop on one machine: here the goroutine that serves a request writes
// it and reads its answer.
type upstream struct {
	addr   string // host:port
	prefix string // goes before each request target
	tls    *tls.Config
	fresh  time.Duration // see get

	mu   sync.Mutex // guards idle
	idle []*conn    // the last one was used last
}

func newUpstream(u *url.URL) (*upstream, error) {
	if u == nil {
		return nil, fmt.Errorf("upstream_url: is empty")
	}
	up := &upstream{addr: u.Host, fresh: maxFresh}
	port := "80"
	if u.Scheme == "https" {
		port, up.tls = "443", &tls.Config{ServerName: u.Hostname()}
	}
	if u.Port() == "" {
		up.addr = net.JoinHostPort(u.Hostname(), port)
	}
	if u.Path != "" {
		up.prefix = u.EscapedPath()
	}
	return up, nil
}

// conn is one connection to the function. It is used by one request at a time.
type conn struct {
	net.Conn
	br   *bufio.Reader
	raw  syscall.RawConn // of the TCP connection; nil with TLS
	used bool            // has served a request
	idle time.Time       // since when; wall clock, see get
}

func (u *upstream) dial(ctx context.Context) (*conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", u.addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc}
	if tcp, ok := nc.(*net.TCPConn); ok {
		if c.raw, err = tcp.SyscallConn(); err != nil {
			c.close()
			return nil, fmt.Errorf("connect to %s: %w", u.addr, err)
		}
	}
	if u.tls != nil {
		t := tls.Client(nc, u.tls)
		if err := t.HandshakeContext(ctx); err != nil {
			c.close()
			return nil, err
		}
		c.Conn, c.raw = t, nil
	}
	c.br = bufio.NewReaderSize(c.Conn, 8<<10)
	return c, nil
}

// get returns a connection for a request: an idle one that is still open, else
// a new one. Between invocations Lambda freezes the sandbox, for hours even, and
// the function closes what was idle too long right when it is thawed. A request
// that cannot be sent twice therefore gets an idle connection only within a
// second of its last use, by the wall clock, which a freeze does not stop.
func (u *upstream) get(ctx context.Context, repeatable bool) (*conn, error) {
	for {
		c := u.take()
		if c == nil {
			return u.dial(ctx)
		}
		if (repeatable || time.Since(c.idle) < u.fresh) && c.quiet() {
			return c, nil
		}
		c.close()
	}
}

func (u *upstream) take() *conn {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.idle) == 0 {
		return nil
	}
	c := u.idle[len(u.idle)-1]
	u.idle = u.idle[:len(u.idle)-1]
	return c
}

func (u *upstream) put(c *conn) {
	c.idle = time.Now().Round(0)
	u.mu.Lock()
	if len(u.idle) < maxIdle {
		u.idle = append(u.idle, c)
		c = nil
	}
	u.mu.Unlock()
	if c != nil {
		c.close()
	}
}

func (u *upstream) closeIdle() {
	u.mu.Lock()
	idle := u.idle
	u.idle = nil
	u.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// quiet reports whether nothing has arrived on an idle connection: neither its
// end nor bytes that no request asked for.
func (c *conn) quiet() bool {
	if c.br.Buffered() > 0 {
		return false
	}
	if c.raw == nil {
		return true
	}
	quiet := false
	err := c.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN
		return true
	})
	return quiet && err == nil
}

// abort makes what waits on the connection return at once.
func (c *conn) abort() {
	// It fails only on a closed connection, where nothing waits.
	_ = c.SetDeadline(time.Unix(1, 0))
}

// close ends the connection. What was sent on it is either answered or given up.
func (c *conn) close() { _ = c.Conn.Close() }

// isToken reports whether s is a method or header name of HTTP (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue reports whether s can stand in a header: no control characters
// but tab.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}
