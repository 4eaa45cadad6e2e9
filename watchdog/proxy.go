package watchdog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"
)

// ServeHTTP passes the request to the function and its answer back, neither of
// them held.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := &passage{server: s, w: w, r: r, began: time.Now()}
	ctx := r.Context()
	if limit := timeLimit(r, s.cfg.ExecTimeout); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, execTimeout(limit))
		defer cancel()
	}
	c, err := s.ensure(ctx)
	p.cause = context.Cause(ctx)
	if err == nil {
		err = p.run(ctx)
	}
	if s.restart && errors.Is(err, syscall.ECONNREFUSED) && p.cause == nil && c.endsSoon(ctx, s.leaves) {
		// Nobody has seen anything of the request, and a new process can have it.
		if c, err = s.ensure(ctx); err == nil {
			err = p.run(ctx)
		}
		p.cause = context.Cause(ctx)
	}
	if err == nil {
		return
	}
	status := http.StatusInternalServerError
	switch cause := p.cause; {
	case cause == nil && errors.Is(err, os.ErrDeadlineExceeded): // read_timeout: the client was too slow
		status, err = http.StatusGatewayTimeout, fmt.Errorf("%w: %w", ErrTimeout, err)
	case cause == nil:
		if c != nil {
			err = s.cause(c, err)
		}
	case errors.Is(cause, context.DeadlineExceeded):
		status, err = http.StatusGatewayTimeout, fmt.Errorf("%w: %w", ErrTimeout, err)
	case errors.Is(cause, ErrTimeout):
		status, err = http.StatusGatewayTimeout, cause
	default:
		err = fmt.Errorf("request was given up: %w", cause)
	}
	p.fail(status, err)
}

// timeLimit is exec_timeout, or the shorter time that the caller asks for by
// X-Timeout. A caller cannot take the limit away.
func timeLimit(r *http.Request, limit time.Duration) time.Duration {
	if v := r.Header.Get("X-Timeout"); v != "" {
		if d, err := time.ParseDuration(v); err == nil && d > 0 && (limit <= 0 || d < limit) {
			return d
		}
	}
	return limit
}

// execTimeout is the ErrTimeout of a request that took longer than this. Its text
// is made only when it is needed.
type execTimeout time.Duration

func (e execTimeout) Error() string {
	return ErrTimeout.Error() + ": exec_timeout of " + time.Duration(e).String()
}

func (e execTimeout) Is(target error) bool { return target == ErrTimeout }

// passage is one request on its way through the proxy.
type passage struct {
	*server
	w     http.ResponseWriter
	r     *http.Request
	began time.Time
	out   *outgoing // set by run
	head  bool      // the answer's head is written
	cause error     // why the context was done when something failed; nil: it was not
}

// fail answers for the function. A response that has begun is broken off, so
// that nobody takes it for a whole one.
func (p *passage) fail(status int, err error) {
	p.log.Error("function request failed", "method", p.r.Method, "path", p.r.URL.Path, "status", status, "error", err.Error())
	if f, ok := p.w.(Failer); ok {
		f.Fail(err)
	}
	if p.head {
		panic(http.ErrAbortHandler)
	}
	p.setDuration()
	p.w.Header().Set("X-OpenFaaS-Internal", "of-watchdog")
	p.w.WriteHeader(status)
}

func (p *passage) setDuration() { setDuration(p.w.Header(), p.began) }

func setDuration(h http.Header, began time.Time) {
	h["X-Duration-Seconds"] = []string{strconv.FormatFloat(time.Since(began).Seconds(), 'f', 6, 64)}
}

// run sends the request and passes the answer on. When a connection that was
// idle turns out to be dead, a request that may be repeated goes to another.
func (p *passage) run(ctx context.Context) error {
	if p.out == nil {
		o, err := p.outgoing()
		if err != nil {
			return err
		}
		p.out = o
	}
	o := p.out
	for {
		c, err := p.up.get(ctx, o.repeatable())
		if err != nil {
			p.cause = context.Cause(ctx)
			return err
		}
		again, err := p.on(ctx, c, o)
		if !again {
			return err
		}
	}
}

// on runs the request over c, which it puts back or closes. again says that
// the request can and should go over another connection.
func (p *passage) on(ctx context.Context, c *conn, o *outgoing) (again bool, err error) {
	var s sending
	reusable := false
	stop := context.AfterFunc(ctx, c.abort)
	defer func() {
		p.cause = context.Cause(ctx) // before unblock, which may end it
		clean := s.end(c, p.unblock)
		if s.err != nil && err != nil {
			err = s.err
		}
		if stop() && clean && reusable && err == nil {
			c.used = true
			p.up.put(c)
		} else {
			c.close()
		}
	}()
	res, err := c.roundTrip(o, &s)
	if err != nil {
		var bad *requestError
		again = c.used && o.repeatable() && ctx.Err() == nil && !errors.As(err, &bad)
		return again, err
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return false, p.tunnel(ctx, c, res)
	}
	if s.underway() {
		closeAfter(p.w)
	}
	err = p.answer(c, res)
	reusable = !res.Close
	return false, err
}

// unblock makes a waiting read of the client's body return.
func (p *passage) unblock() {
	// A writer that cannot do this reads from what does not wait for a client.
	_ = http.NewResponseController(p.w).SetReadDeadline(time.Unix(1, 0))
}

func (p *passage) outgoing() (*outgoing, error) {
	r := p.r
	o := &outgoing{method: r.Method, target: r.RequestURI, host: r.Host, header: r.Header, body: r.Body, length: r.ContentLength}
	if o.target == "" {
		o.target = r.URL.RequestURI()
	}
	o.target = p.up.prefix + o.target
	if r.Body == nil || r.Body == http.NoBody {
		o.body, o.length = nil, 0
	}
	if tokens := r.Header["Upgrade"]; len(tokens) == 1 && dropped("Upgrade", r.Header["Connection"]) && o.length == 0 {
		o.upgrade = tokens[0]
		if !isFieldValue(o.upgrade) {
			return nil, &requestError{errors.New("header Upgrade has a control character")}
		}
	}
	if o.length != 0 && p.cfg.BufferBody {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("read request body: %w", err)
		}
		o.body, o.length = bytes.NewReader(body), int64(len(body))
	}
	if o.length < 0 || o.length > smallBody {
		// Otherwise net/http's server reads the whole body before it lets the
		// answer out. Other writers do not hold it back, and say they cannot.
		_ = http.NewResponseController(p.w).EnableFullDuplex()
	}
	return o, nil
}

// answer passes res on. What has arrived is flushed whenever the next read
// would have to wait.
func (p *passage) answer(c *conn, res *http.Response) error {
	h := p.w.Header()
	connection := res.Header["Connection"]
	for name, values := range res.Header {
		if !dropped(name, connection) {
			h[name] = values
		}
	}
	for name := range res.Trailer {
		h.Add("Trailer", name)
	}
	p.setDuration()
	p.head = true
	p.w.WriteHeader(res.StatusCode)
	if err := p.copy(c, res); err != nil {
		return err
	}
	for name, values := range res.Trailer {
		h[name] = values
	}
	return nil
}

func (p *passage) copy(c *conn, res *http.Response) error {
	bp := buffers.Get().(*[]byte)
	defer buffers.Put(bp)
	flusher, _ := p.w.(http.Flusher)
	left := res.ContentLength
	if p.r.Method == http.MethodHead {
		left = 0
	}
	for {
		if left != 0 && c.br.Buffered() == 0 && flusher != nil {
			flusher.Flush()
		}
		n, err := res.Body.Read(*bp)
		if n > 0 {
			left -= int64(n)
			if _, err := p.w.Write((*bp)[:n]); err != nil {
				return fmt.Errorf("write response: %w", err)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read response: %w", err)
		}
	}
}
