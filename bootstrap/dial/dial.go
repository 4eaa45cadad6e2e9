// Package dial makes connections to HTTP endpoints out of a function's sandbox:
// plain or by TLS, directly or through the proxy that the environment names.
//
// http.Transport would add 600 KB to bootstrap, a tenth of its size; what is here
// adds 30, because crypto/tls is linked in any case.
package dial

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Dialer connects to endpoints. It may be used concurrently.
type Dialer struct {
	Proxy Proxy
	TLS   *tls.Config // RootCAs may be set before the first use; nil is the system's
	net   net.Dialer
}

// New returns a Dialer that checks certificates by the system's roots.
func New(p Proxy) Dialer {
	return Dialer{Proxy: p, TLS: &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		ClientSessionCache: tls.NewLRUClientSessionCache(4), // the handshakes after the first cost less CPU
	}}
}

// Dial returns a connection to the endpoint, an http or https URL. The proxy is
// used for https only. No error repeats more of the URL than its host.
func (d *Dialer) Dial(ctx context.Context, endpoint *url.URL) (net.Conn, error) {
	addr := hostPort(endpoint)
	if endpoint.Scheme == "http" {
		return d.net.DialContext(ctx, "tcp", addr)
	}
	raw, err := d.tunnel(ctx, addr, endpoint.Hostname())
	if err != nil {
		return nil, err
	}
	config := d.TLS.Clone()
	config.ServerName = endpoint.Hostname()
	secure := tls.Client(raw, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, ignoreClosed(raw.Close()))
	}
	return secure, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// tunnel returns a connection to addr, through the proxy where one is to be used.
func (d *Dialer) tunnel(ctx context.Context, addr, host string) (net.Conn, error) {
	if !d.Proxy.serves(host) {
		return d.net.DialContext(ctx, "tcp", addr)
	}
	proxy := d.Proxy.url
	raw, err := d.net.DialContext(ctx, "tcp", hostPort(proxy))
	if err != nil {
		return nil, fmt.Errorf("connect to proxy: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) }) // ends connect
	err = connect(raw, addr, proxy.User)
	if !stop() {
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect through proxy %s: %w", proxy.Host, err), raw.Close())
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
