package memory

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// maxAsync bounds the body of an invocation that nobody waits for: 1 MB, what
// Lambda takes for one (docs.aws.amazon.com/lambda, "Lambda quotas").
const maxAsync = 1 << 20

// newClient is for proxied invocations: redirects are the caller's.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	transport.MaxIdleConnsPerHost = 256
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Invoke implements backend.Invoker.
func (b *Backend) Invoke(ctx context.Context, name backend.Name, r *http.Request) (*http.Response, error) {
	f, err := b.find(name)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := backend.Uncallable(r); err != nil {
		return nil, err
	}
	if backend.Async(r) {
		return b.invokeLater(f, r)
	}
	return b.invoke(ctx, f, r)
}

// invokeLater takes the request in, and answers it without anybody waiting.
func (b *Backend) invokeLater(f *function, r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAsync+1))
	if err != nil {
		return nil, fmt.Errorf("read request body: %w", err)
	}
	if len(body) > maxAsync {
		return nil, backend.Errorf(backend.ErrTooLarge, "request body of an asynchronous invocation is larger than %d bytes", maxAsync)
	}
	later := r.Clone(b.closing)
	later.Body = io.NopCloser(bytes.NewReader(body))
	later.Header.Del(backend.AsyncHeader)
	b.background.Go(func() {
		answer, err := b.invoke(b.closing, f, later)
		if err != nil {
			return // in the function's log
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
	})
	return &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: http.NoBody}, nil
}

// invoke answers as the function's annotations say. The invocation lasts until
// the answer's body is closed.
func (b *Backend) invoke(ctx context.Context, f *function, r *http.Request) (*http.Response, error) {
	if !f.use.begin(f.behaviour.concurrency) {
		return nil, backend.Errorf(backend.ErrThrottled, "function %s has %d invocations under way, as many as its annotation %s allows", f.deployed.Service, f.behaviour.concurrency, concurrencyKey)
	}
	start := time.Now()
	answer, err := b.answer(ctx, f, r)
	if err != nil {
		f.use.end(start, f.behaviour.memory)
		f.log.add(fmt.Sprintf("%s %s: %v", r.Method, target(r.URL), err))
		return nil, err
	}
	answer.Body = &body{ReadCloser: answer.Body, ended: func(n int64) {
		f.use.end(start, f.behaviour.memory)
		f.log.add(fmt.Sprintf("%s %s %d %d bytes", r.Method, target(r.URL), answer.StatusCode, n))
	}}
	return answer, nil
}

func (b *Backend) answer(ctx context.Context, f *function, r *http.Request) (*http.Response, error) {
	if f.behaviour.delay > 0 {
		timer := time.NewTimer(f.behaviour.delay)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
	switch {
	case f.behaviour.fail != nil:
		return nil, f.behaviour.fail
	case f.behaviour.proxy != nil:
		return b.proxy(ctx, f.behaviour.proxy, r)
	case f.behaviour.fixed:
		header := f.behaviour.headers.Clone()
		if header == nil {
			header = http.Header{}
		}
		return &http.Response{StatusCode: f.behaviour.status, Header: header, Body: io.NopCloser(strings.NewReader(f.behaviour.body))}, nil
	}
	return echo(r)
}

// maxEcho bounds a body that is echoed.
const maxEcho = 100 << 20

// echo answers with the request's body, which it reads to its end first: most
// clients read no answer before they have sent all of their request, so that
// both sides would wait for each other.
func echo(r *http.Request) (*http.Response, error) {
	header := http.Header{}
	if t := r.Header.Get("Content-Type"); t != "" {
		header.Set("Content-Type", t)
	}
	var body bytes.Buffer
	if r.ContentLength > 0 && r.ContentLength <= maxEcho {
		body.Grow(int(r.ContentLength) + bytes.MinRead) // so that reading never grows it
	}
	n, err := body.ReadFrom(io.LimitReader(r.Body, maxEcho+1))
	if err != nil {
		return nil, fmt.Errorf("read request body: %w", err)
	}
	if n > maxEcho {
		return nil, backend.Errorf(backend.ErrTooLarge, "request body is larger than %d bytes, which is what is echoed", maxEcho)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(&body)}, nil
}

// proxy sends the request on to a URL: its path is prefixed by that of the URL,
// everything else stays as it is.
func (b *Backend) proxy(ctx context.Context, to *url.URL, r *http.Request) (*http.Response, error) {
	out := r.Clone(ctx)
	out.RequestURI, out.Host = "", to.Host
	out.URL = &url.URL{Scheme: to.Scheme, Host: to.Host, Opaque: strings.TrimSuffix(to.EscapedPath(), "/") + r.URL.EscapedPath(), RawQuery: r.URL.RawQuery}
	for _, hop := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		out.Header.Del(hop)
	}
	answer, err := b.client.Do(out)
	if err != nil {
		return nil, backend.Errorf(backend.ErrUnavailable, "invoke %s: %w", to.Redacted(), err)
	}
	return answer, nil
}

// target is the request's path and query as logs show them.
func target(u *url.URL) string {
	if u.RawQuery == "" {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + u.RawQuery
}

// body counts an answer's bytes and tells when it is closed.
type body struct {
	io.ReadCloser
	ended func(int64)
	n     int64
	once  sync.Once
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() { b.ended(b.n) })
	return err
}
