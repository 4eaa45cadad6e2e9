package secrets

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// http.Transport would add 600 KB to bootstrap, a tenth of its size; what is here
// adds 30, because crypto/tls is linked in any case.

// maxAnswer bounds an answer: 64 KiB of secret, six bytes each at worst in JSON,
// and what is around it.
const maxAnswer = 1 << 20

// response is an answer, read to its end.
type response struct {
	status int
	header http.Header
	body   []byte
}

// dialer connects to endpoints.
type dialer struct {
	proxy   *url.URL // for https; nil for none
	noProxy []string
	tls     *tls.Config
	net     net.Dialer
}

func newDialer(proxy *url.URL, noProxy []string) dialer {
	return dialer{proxy: proxy, noProxy: noProxy, tls: &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		ClientSessionCache: tls.NewLRUClientSessionCache(4), // the handshakes of refreshes cost less CPU
	}}
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
		var err error
		if l, err = c.dialer.dial(ctx, req.URL); err != nil {
			return response{}, fmt.Errorf("connect to %s: %w", req.URL.Host, explain(ctx, err))
		}
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

func (d *dialer) dial(ctx context.Context, endpoint *url.URL) (*link, error) {
	addr := hostPort(endpoint)
	if endpoint.Scheme == "http" {
		raw, err := d.net.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return newLink(raw), nil
	}
	raw, err := d.tunnel(ctx, addr, endpoint.Hostname())
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	config.ServerName = endpoint.Hostname()
	secure := tls.Client(raw, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, ignoreClosed(raw.Close()))
	}
	return newLink(secure), nil
}

func newLink(c net.Conn) *link { return &link{Conn: c, br: bufio.NewReader(c)} }

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// tunnel returns a connection to addr, through the proxy where one is to be used.
func (d *dialer) tunnel(ctx context.Context, addr, host string) (net.Conn, error) {
	if d.proxy == nil || exempt(d.noProxy, host) {
		return d.net.DialContext(ctx, "tcp", addr)
	}
	raw, err := d.net.DialContext(ctx, "tcp", hostPort(d.proxy))
	if err != nil {
		return nil, fmt.Errorf("connect to proxy: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) }) // ends connect
	err = connect(raw, addr, d.proxy.User)
	if !stop() {
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect through proxy %s: %w", d.proxy.Host, err), raw.Close())
	}
	return raw, nil
}

// connect asks the proxy for a tunnel. Nothing comes after the proxy's answer
// before we say something, so the buffer may be thrown away.
func connect(raw net.Conn, addr string, user *url.Userinfo) error {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if user != nil {
		password, _ := user.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := req.Write(raw); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReaderSize(raw, 4096), req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered status %d", res.StatusCode)
	}
	return nil
}

func hostPort(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return net.JoinHostPort(u.Hostname(), port)
	case u.Scheme == "https":
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return net.JoinHostPort(u.Hostname(), "80")
}

// parseProxy reads http://[USER:PASSWORD@]HOST[:PORT]; without a scheme it is one
// of http.
func parseProxy(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" {
		return nil, errors.New("is no URL of the form http://HOST:PORT") // err may repeat a password
	}
	return u, nil
}

// exempt says whether host is one of NO_PROXY's: *, the name itself or a domain
// that it is in.
func exempt(noProxy []string, host string) bool {
	for _, entry := range noProxy {
		entry = strings.ToLower(strings.TrimPrefix(entry, "."))
		if entry == "*" || entry == host || strings.HasSuffix(host, "."+entry) {
			return true
		}
	}
	return false
}
