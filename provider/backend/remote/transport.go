package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/replay"
)

// newTransport makes connections that count what is written to them. It is
// HTTP/1.1 alone: on a connection that requests share, nobody knows which of
// them a byte was for.
func newTransport(o Options) (*http.Transport, error) {
	config, err := o.TLS.config()
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &countedConn{Conn: conn}, nil
		},
		TLSClientConfig: config, TLSHandshakeTimeout: o.ConnectTimeout,
		DisableCompression: true, // the answer is passed on as it is
		MaxIdleConns:       o.MaxIdleConns, MaxIdleConnsPerHost: o.MaxIdleConns, IdleConnTimeout: 90 * time.Second,
		ReadBufferSize: 16 << 10, WriteBufferSize: 16 << 10,
	}, nil
}

// countedConn is a connection that knows how much was written to it.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// sent finds out whether anything of a request was written. The bytes of a TLS
// handshake come before the connection is given to the request.
type sent struct {
	conn  *countedConn
	begin int64
	mayBe bool // it is not known
}

func (s *sent) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if s.something() {
			s.mayBe = true // on a connection before this one
		}
		conn := got.Conn
		if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
			conn = secure.NetConn()
		}
		s.conn, _ = conn.(*countedConn)
		if s.conn == nil {
			s.mayBe = true
			return
		}
		s.begin = s.conn.written.Load()
	}}
}

func (s *sent) something() bool {
	return s.mayBe || s.conn != nil && s.conn.written.Load() != s.begin
}

// retryAfter is how long the first repetition waits for a connection to become
// possible; each further one waits twice as long.
const retryAfter = 20 * time.Millisecond

// roundTrip sends a request, and again when nothing of it was sent. make makes
// the request for every attempt, with a body that begins at its beginning. The
// error is one of ctx, or of a kind of package backend; of one that nothing was
// sent for, backend.NotBegun is true.
func (b *Backend) roundTrip(ctx context.Context, body *replay.Body, request func(ctx context.Context, body io.ReadCloser) *http.Request) (*http.Response, error) {
	wait := retryAfter
	for attempt := 0; ; attempt++ {
		var s sent
		out := request(httptrace.WithClientTrace(ctx, s.trace()), attemptOf(body))
		answer, err := b.transport.RoundTrip(out)
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if s.something() {
			return nil, backend.As(backend.ErrUnavailable, err)
		}
		if attempt >= b.opts.Retries || body != nil && !body.Again() {
			return nil, backend.As(backend.ErrUnreachable, err)
		}
		if !isStale(err) {
			if err := pause(ctx, wait); err != nil {
				return nil, err
			}
			wait *= 2
		}
	}
}

func attemptOf(body *replay.Body) io.ReadCloser {
	if body == nil {
		return nil
	}
	attempt, ok := body.Attempt()
	if !ok { // roundTrip has asked before
		return io.NopCloser(errorReader{replay.ErrEnded})
	}
	return attempt
}

type errorReader struct{ error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.error }

// isStale tells whether a connection that had been kept was closed by the other
// side: another one may do at once.
func isStale(err error) bool {
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
