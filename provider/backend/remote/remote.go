// Package remote is a backend that is somewhere else: any OpenFaaS provider or
// gateway, over the provider's HTTP interface. What it lacks of that interface
// is answered with backend.ErrUnsupported, and found out by asking.
//
// It speaks HTTP/1.1, on connections that are kept, and sends nothing twice: a
// request is repeated only when not a byte of it was written.
package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Options configure a backend. URL is required.
type Options struct {
	// URL is that of the provider or gateway, without a user and a query. What
	// it has of a path comes before the routes' own.
	URL string
	// Namespace is the default namespace there; empty means openfaas-fn.
	Namespace string

	Credentials Credentials
	// AuthorizeInvocations sends the credentials with invocations too, for
	// what stands in front of a gateway. The functions see them, and the
	// Authorization of whoever invokes is lost.
	AuthorizeInvocations bool
	TLS                  TLS

	ConnectTimeout time.Duration // for a connection and its TLS handshake; 0 is 5 s
	Timeout        time.Duration // for an answer of /system; 0 is 30 s
	DeployTimeout  time.Duration // until a function is ready, or gone; 0 is 10 min
	InvokeTimeout  time.Duration // until an answer begins; 0 is as long as who invokes waits
	Retries        int           // how often a request is repeated when nothing of it was sent
	MaxIdleConns   int           // kept open; 0 is 256

	Logger *slog.Logger // nil discards
}

// Backend is a provider or gateway behind a URL. Open makes one.
type Backend struct {
	opts        Options
	base        *url.URL
	prefix      string // the path of base, as it is sent, without a slash at its end
	credentials *login
	transport   *http.Transport
	log         *slog.Logger

	orchestration atomic.Pointer[string]
	namespaces    remembered[[]string]
	health        remembered[struct{}]
	noReadyz      atomic.Bool // there is no /readyz, so that /healthz has to do

	closing    context.Context // ends with Close
	close      context.CancelFunc
	background sync.WaitGroup // logs that are read
}

var (
	_ backend.Backend         = (*Backend)(nil)
	_ backend.Scaler          = (*Backend)(nil)
	_ backend.Namespacer      = (*Backend)(nil)
	_ backend.NamespaceKeeper = (*Backend)(nil)
	_ backend.SecretKeeper    = (*Backend)(nil)
	_ backend.Logger          = (*Backend)(nil)
	_ backend.Meter           = (*Backend)(nil)
	_ backend.Accountant      = (*Backend)(nil)
	_ backend.Describer       = (*Backend)(nil)
	_ backend.Checker         = (*Backend)(nil)
	_ backend.Completer       = (*Backend)(nil)
)

// Open prepares the backend. It reads the files that the options name, and
// connects to nothing. Its background work ends with ctx or Close.
func Open(ctx context.Context, o Options) (*Backend, error) {
	o.defaults()
	base, err := url.Parse(o.URL)
	if err == nil && (base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil || base.RawQuery != "" || base.Fragment != "") {
		err = fmt.Errorf("want http://HOST or https://HOST, without user and query")
	}
	if err != nil {
		return nil, fmt.Errorf("open remote provider %q: %w", o.URL, err)
	}
	credentials, err := newLogin(o.Credentials)
	if err != nil {
		return nil, fmt.Errorf("open remote provider %s: %w", o.URL, err)
	}
	transport, err := newTransport(o)
	if err != nil {
		return nil, fmt.Errorf("open remote provider %s: %w", o.URL, err)
	}
	b := &Backend{opts: o, base: base, prefix: strings.TrimSuffix(base.EscapedPath(), "/"), credentials: credentials, transport: transport, log: o.Logger}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.closing, b.close = context.WithCancel(ctx)
	return b, nil
}

func (o *Options) defaults() {
	if o.Namespace == "" {
		o.Namespace = "openfaas-fn"
	}
	for value, fallback := range map[*time.Duration]time.Duration{
		&o.ConnectTimeout: 5 * time.Second, &o.Timeout: 30 * time.Second, &o.DeployTimeout: 10 * time.Minute,
	} {
		if *value <= 0 {
			*value = fallback
		}
	}
	if o.MaxIdleConns <= 0 {
		o.MaxIdleConns = 256
	}
}

// Close ends logs that are still read, and connections.
func (b *Backend) Close() error {
	b.close()
	b.background.Wait()
	b.transport.CloseIdleConnections()
	return nil
}

// remembered is an answer for a while. Who asks while it is being found out
// waits for that.
type remembered[T any] struct {
	mu    sync.Mutex // guards the rest
	until time.Time
	value T
	err   error
}

// get returns what is remembered, or what ask says now.
func (m *remembered[T]) get(keep time.Duration, ask func(old T) (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Now().After(m.until) {
		m.value, m.err = ask(m.value)
		if !errors.Is(m.err, context.Canceled) { // which says something about who asked
			m.until = time.Now().Add(keep)
		}
	}
	return m.value, m.err
}

// forget makes the next get ask.
func (m *remembered[T]) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until = time.Time{}
}
