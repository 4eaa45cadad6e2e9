// Package fetch reads what lies behind a pre-signed URL, as it comes: the bodies
// of requests that are too large for an invocation's payload. It holds nothing
// and tries nothing twice.
package fetch

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/dial"
)

// bufferSize is that of a connection: what a body is read in when its reader asks
// for less.
const bufferSize = 32 << 10

// pauses are how long Open waits before it asks again: S3 answers 500 and 503
// to requests that succeed a little later ("Best practices design patterns:
// optimizing Amazon S3 performance"), and its addresses change.
var pauses = []time.Duration{50 * time.Millisecond, 250 * time.Millisecond}

// Client opens URLs. It may be used concurrently.
type Client struct {
	env []string // of the function: proxies and certificates

	once   sync.Once // makes dialer and err, at the first URL: most functions get none
	dialer dial.Dialer
	err    error
}

// New returns a Client for the function with env. Of it HTTPS_PROXY, NO_PROXY
// and SSL_CERT_FILE count; the certificates in the latter are trusted besides
// the system's.
func New(env []string) *Client { return &Client{env: env} }

func (c *Client) setUp() {
	vars := map[string]string{}
	for _, kv := range c.env {
		name, value, _ := strings.Cut(kv, "=")
		vars[name] = value
	}
	proxy, err := dial.ParseProxy(vars)
	if err != nil {
		c.err = err
		return
	}
	c.dialer = dial.New(proxy)
	file := vars["SSL_CERT_FILE"]
	if file == "" || file == os.Getenv("SSL_CERT_FILE") { // the system's roots are these, see crypto/x509
		return
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	// One that cannot be read is the function's concern: what it is for may
	// never be asked.
	if pem, err := os.ReadFile(file); err == nil {
		roots.AppendCertsFromPEM(pem)
	}
	c.dialer.TLS.RootCAs = roots
}

// Body is an answer's body. Closing it ends a Read that waits.
type Body struct {
	Length int64 // -1 when unknown

	ctx   context.Context // of the fetch that a Body is, as http.Request has one
	name  string
	res   *http.Response
	stop  func() bool
	abort func()
}

// Open asks for address by GET and returns the body of an answer of status 200.
// It asks up to three times where no connection comes about, or one ends before
// the answer, or the status is 500 or 503. The body must be closed. When ctx
// ends, so does every Read of it. Errors name the address without its query,
// which is a secret, and wrap ctx's when that is the reason.
func (c *Client) Open(ctx context.Context, address string) (*Body, error) {
	u, err := parse(address)
	if err != nil {
		return nil, err
	}
	b := &Body{ctx: ctx, name: u.Scheme + "://" + u.Host + u.EscapedPath()}
	if c.once.Do(c.setUp); c.err != nil {
		return nil, b.explain(c.err)
	}
	for _, pause := range pauses {
		if err = b.open(c.dialer, u); err == nil {
			return b, nil
		}
		if !again(err) || !wait(ctx, pause) {
			return nil, b.explain(err)
		}
	}
	if err = b.open(c.dialer, u); err != nil {
		return nil, b.explain(err)
	}
	return b, nil
}

func (b *Body) open(dialer dial.Dialer, u *url.URL) error {
	raw, err := dialer.Dial(b.ctx, u)
	if err != nil {
		return err
	}
	b.abort = func() { _ = raw.SetDeadline(time.Unix(1, 0)) } // what waits says so
	b.stop = context.AfterFunc(b.ctx, b.abort)
	if b.res, err = ask(raw, u); err != nil {
		b.stop()
		return errors.Join(err, ignoreClosed(raw.Close()))
	}
	b.Length = b.res.ContentLength
	b.res.Body = &connected{b.res.Body, raw}
	return nil
}

// again tells whether the next attempt may go better.
func again(err error) bool {
	var status statusError
	if errors.As(err, &status) {
		return status == http.StatusInternalServerError || status == http.StatusServiceUnavailable
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// wait returns false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// statusError is that of an answer other than 200.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("it answered status %d", int(s)) }

func ask(raw net.Conn, u *url.URL) (*http.Response, error) {
	req := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{"User-Agent": {"faas-lambda"}}, Close: true}
	if err := req.Write(raw); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReaderSize(raw, bufferSize), req)
	var foreign *net.OpError
	switch {
	case errors.As(err, &foreign), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrDeadlineExceeded):
		return nil, err
	case err != nil: // its text quotes what the server sent
		return nil, errors.New("the answer is not HTTP")
	case res.StatusCode != http.StatusOK:
		return nil, errors.Join(statusError(res.StatusCode), ignoreClosed(res.Body.Close()))
	}
	return res, nil
}

// parse reads a URL of which nothing may be told: an error of net/url would.
func parse(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.User != nil:
		return nil, errors.New("fetch request body: its URL is none of the form https://HOST/PATH?QUERY")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("fetch request body from %s: its URL must be https, or http on a loopback address", u.Host)
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Read implements io.Reader. A body that ends before its Content-Length is an
// error.
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.res.Body.Read(p)
	if err != nil && err != io.EOF {
		err = b.explain(err)
	}
	return n, err
}

// Abort makes a Read that waits return at once.
func (b *Body) Abort() { b.abort() }

// Close ends the connection.
func (b *Body) Close() error {
	b.stop()
	return b.res.Body.Close()
}

// explain says what failed, and that time is up where the error is only the
// consequence.
func (b *Body) explain(err error) error {
	if cause := context.Cause(b.ctx); cause != nil {
		err = cause
	} else if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ended early")
	}
	return fmt.Errorf("fetch request body from %s: %w", b.name, err)
}

// connected closes the connection with a body, which would be read to its end
// first.
type connected struct {
	io.Reader
	conn net.Conn
}

func (c *connected) Close() error { return ignoreClosed(c.conn.Close()) }

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
