package secrets

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// maxAnswer bounds an answer: 64 KiB of secret, six bytes each at worst in JSON,
// and what is around it.
const maxAnswer = 1 << 20

// response is an answer, read to its end.
type response struct {
	status int
	header http.Header
	body   []byte
}

// link is a connection to an endpoint.
type link struct {
	net.Conn
	br *bufio.Reader
}

// pool keeps one link for each endpoint between the requests of one
// goroutine.
type pool struct{ links map[string]*link }

func (p *pool) close() {
	for _, c := range p.links {
		_ = c.Close() // everything on it is answered
	}
}

// exchange sends req and reads the answer. Redirects are answers like others.
func (c *client) exchange(ctx context.Context, idle *pool, req *http.Request) (response, error) {
	key := req.URL.Scheme + "://" + req.URL.Host
	l := idle.links[key]
	delete(idle.links, key)
	if l == nil {
		raw, err := c.dialer.Dial(ctx, req.URL)
		if err != nil {
			return response{}, fmt.Errorf("connect to %s: %w", req.URL.Host, explain(ctx, err))
		}
		l = newLink(raw)
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // the exchange tells of it
	got, keep, err := l.exchange(req)
	if stop() && keep && err == nil {
		if idle.links == nil {
			idle.links = map[string]*link{}
		}
		idle.links[key] = l
		return got, nil
	}
	_ = l.Close() // read to its end, or broken
	if err != nil {
		return response{}, fmt.Errorf("ask %s: %w", req.URL.Host, explain(ctx, err))
	}
	return got, nil
}

// explain says that time is up where an error is only the consequence.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (l *link) exchange(req *http.Request) (got response, keep bool, err error) {
	if err := req.Write(l); err != nil {
		return response{}, false, err
	}
	res, err := http.ReadResponse(l.br, req)
	if err != nil {
		return response{}, false, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return response{}, false, err
	}
	if len(body) > maxAnswer {
		return response{}, false, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	return response{status: res.StatusCode, header: res.Header, body: body}, !res.Close, nil
}

func newLink(c net.Conn) *link { return &link{Conn: c, br: bufio.NewReader(c)} }
