package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/replay"
)

// replayed is how much of a body is remembered, for when a kept connection turns
// out to be closed: what the transport reads ahead of writing.
const replayed = 32 << 10

// maxError bounds what is read of an answer that tells of an error.
const maxError = 16 << 10

// Invoke implements backend.Invoker. An answer that the function made is passed
// on as it is; one that the provider or gateway made for it, which they mark
// with backend.InternalHeader, becomes an error of its kind.
func (b *Backend) Invoke(ctx context.Context, name backend.Name, r *http.Request) (*http.Response, error) {
	route := "/function/"
	if backend.Async(r) {
		route = "/async-function/"
	}
	header, err := b.header(r, route)
	if err != nil {
		return nil, err
	}
	var body *replay.Body
	if r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
		body = replay.New(r.Body, r.ContentLength, replayed, nil)
	}
	target := b.target(route+name.String()+pathOf(r.URL), r.URL.RawQuery)
	ctx, begun, end := b.deadline(ctx)
	answer, err := b.roundTrip(ctx, body, func(ctx context.Context, sent io.ReadCloser) *http.Request {
		out := (&http.Request{Method: r.Method, URL: target, Host: b.base.Host, Header: header, Body: sent, ContentLength: r.ContentLength}).WithContext(ctx)
		if sent == nil {
			out.Body = noBody(r.Method)
		}
		return out
	})
	if body != nil {
		body.Forget()
	}
	if err != nil {
		end()
		return nil, fmt.Errorf("invoke function %s at %s: %w", name, b.base.Host, err)
	}
	begun()
	if err := b.refusal(name, route, answer); err != nil {
		end()
		return nil, err
	}
	dropHops(answer.Header)
	answer.Body = &ending{ReadCloser: answer.Body, end: end}
	return answer, nil
}

// errSlow is why an invocation ends whose answer does not begin in time.
var errSlow = errors.New("the answer has not begun in time")

// deadline bounds the time until an answer begins. begun ends that, and end
// frees what ctx holds.
func (b *Backend) deadline(ctx context.Context) (_ context.Context, begun, end func()) {
	if b.opts.InvokeTimeout <= 0 {
		return ctx, func() {}, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(b.opts.InvokeTimeout, func() {
		cancel(backend.Errorf(backend.ErrTimeout, "%w: %s", errSlow, b.opts.InvokeTimeout))
	})
	return ctx, func() { timer.Stop() }, func() { timer.Stop(); cancel(nil) }
}

// ending is an answer's body that frees something when it is closed.
type ending struct {
	io.ReadCloser
	end func()
}

func (e *ending) Close() error {
	err := e.ReadCloser.Close()
	e.end()
	return err
}

// target returns the URL of a path that is sent as it is.
func (b *Backend) target(path, query string) *url.URL {
	return &url.URL{Scheme: b.base.Scheme, Host: b.base.Host, Opaque: b.prefix + path, RawQuery: query}
}

// pathOf returns the path byte for byte, as the backend was given it.
func pathOf(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
}

// noBody returns the body of a request without one. Go's transport repeats
// requests of these methods by itself when they have none at all, also after
// they were sent (net/http, Request.isReplayable); this one it does not repeat,
// and it sends no byte of it.
func noBody(method string) io.ReadCloser {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return io.NopCloser(strings.NewReader(""))
	}
	return http.NoBody
}

// hops are the headers of one connection (RFC 9110, section 7.6.1), and what a
// transport adds when it is missing.
var hops = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true,
	"Upgrade": true, "Proxy-Authenticate": true, "Proxy-Authorization": true, "Expect": true, "Content-Length": true,
}

// header returns the headers to send, in a map of its own over the values of r.
func (b *Backend) header(r *http.Request, route string) (http.Header, error) {
	out := make(http.Header, len(r.Header)+2)
	for key, values := range r.Header {
		if !hops[key] {
			out[key] = values
		}
	}
	for _, named := range r.Header["Connection"] {
		for key := range strings.SplitSeq(named, ",") {
			delete(out, http.CanonicalHeaderKey(strings.TrimSpace(key)))
		}
	}
	if _, ok := out["User-Agent"]; !ok {
		out["User-Agent"] = []string{""} // none is sent
	}
	if route != "/function/" {
		delete(out, backend.AsyncHeader)
	}
	if b.opts.AuthorizeInvocations {
		return out, b.authorize(out)
	}
	return out, nil
}

func dropHops(header http.Header) {
	for key := range header {
		if hops[key] && key != "Content-Length" {
			delete(header, key)
		}
	}
}

// refusal returns the error that an answer is, which it then closes.
func (b *Backend) refusal(name backend.Name, route string, answer *http.Response) error {
	internal := answer.Header.Get(backend.InternalHeader) != ""
	if route != "/function/" && answer.StatusCode == http.StatusNotFound && !internal {
		_ = answer.Body.Close()
		return backend.Errorf(backend.ErrUnsupported, "%s has no /async-function: name the gateway in front of it", b.base.Host)
	}
	if !internal || answer.StatusCode < 400 {
		return nil
	}
	defer answer.Body.Close()
	text := textOf(answer)
	if answer.StatusCode == http.StatusNotFound {
		return backend.NotFound(name)
	}
	kind := kindOf(answer.StatusCode)
	if kind == nil {
		return &backend.FunctionError{Message: text}
	}
	err := backend.As(kind, errors.New(text))
	if after := afterOf(answer); after > 0 && (kind == backend.ErrThrottled || kind == backend.ErrUnavailable) {
		err = &waiting{after: &backend.Throttled{After: after, Err: err}, kind: kind}
	}
	if answer.Header.Get(backend.NotBegunHeader) == "true" {
		err = backend.AsNotBegun(err)
	}
	return err
}

// waiting is an error of a kind that knows when to ask again. It is not always
// one of throttling, which backend.Throttled would make of it.
type waiting struct {
	after *backend.Throttled
	kind  error
}

func (w *waiting) Error() string { return w.after.Error() }
func (w *waiting) Is(target error) bool {
	return target == w.kind
}

// As gives the time to who looks for it.
func (w *waiting) As(target any) bool {
	if t, ok := target.(**backend.Throttled); ok {
		*t = w.after
		return true
	}
	return false
}

// afterOf reads Retry-After in seconds, the one form that providers write.
func afterOf(answer *http.Response) time.Duration {
	n, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil || n <= 0 || n > 1<<20 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// textOf reads an error's text.
func textOf(answer *http.Response) string {
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxError))
	text := strings.TrimSpace(string(data))
	if text == "" {
		text = "answered " + answer.Status
		if err != nil {
			text += ", and then broke off"
		}
	}
	return text
}

// kindOf is what a status code says; nil is a fault of no kind.
func kindOf(code int) error {
	switch code {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusUnprocessableEntity:
		return backend.ErrInvalid
	case http.StatusNotFound:
		return backend.ErrNotFound
	case http.StatusConflict:
		return backend.ErrConflict
	case http.StatusRequestEntityTooLarge:
		return backend.ErrTooLarge
	case http.StatusTooManyRequests:
		return backend.ErrThrottled
	case http.StatusNotImplemented:
		return backend.ErrUnsupported
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return backend.ErrUnavailable
	case http.StatusGatewayTimeout:
		return backend.ErrTimeout
	}
	return nil
}
