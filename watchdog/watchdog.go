// Package watchdog runs a function's process behind an http.Handler, as
// OpenFaaS' of-watchdog and classic watchdog do: the same variables, the same
// answers, without their defects. It opens no port and knows nothing of Lambda;
// what serves the handler decides that (bootstrap/loop, watchdog/fwatchdog).
package watchdog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
)

// Kind is the program whose behaviour is asked for. The values are those of
// launch.Watchdog.
type Kind string

// The watchdogs an image may have been made for.
const (
	OfWatchdog Kind = "of-watchdog"
	Classic    Kind = "classic-watchdog"
	None       Kind = "none" // the image's own command serves HTTP on Config.Port
)

// ErrStart says that the function's process did not come up.
var ErrStart = errors.New("function did not start")

// ErrExited says that the function's process ended while it was needed.
var ErrExited = errors.New("function process exited")

// ErrTimeout says that a request took longer than it may.
var ErrTimeout = errors.New("function timed out")

// Failer is what a ResponseWriter implements to be told why the watchdog, not
// the function, answers. It is called at most once a request, before the
// status is written; when the response has begun already, ServeHTTP panics with
// http.ErrAbortHandler after it.
type Failer interface {
	Fail(err error)
}

// Options is what a Watchdog needs besides its Config.
type Options struct {
	Dir    string    // working directory of the function, absolute
	Root   string    // where the image's root lies: "" or "/" when it is the root
	Stdout io.Writer // gets the function's stdout line by line
	Stderr io.Writer // gets the function's stderr line by line
	Logger *slog.Logger

	// Restart makes the next request start a new process when the last one
	// has ended. Without it every request after that fails.
	Restart bool
	// AwaitReadyPath makes Start wait for a 2xx of ready_path. Without it Start
	// waits for the port, and ready_path is for whoever asks /_/ready.
	AwaitReadyPath bool
	// RequestID names the invocation in JSON log lines; nil or "" leaves it out.
	RequestID func() string
	// Variables returns more variables for the process that serves r, in the
	// modes that start one per request; nil is none.
	Variables func(r *http.Request) []string
	// Healthy answers /_/health besides the process being alive; nil is true.
	Healthy func() bool
}

// mode is what differs between the modes.
type mode interface {
	http.Handler
	start(ctx context.Context) error // returns when requests can be served
	done() <-chan struct{}           // closed when the process ended; nil when there is none
	close(ctx context.Context) error // asks the process to end, kills it when ctx is done
}

// Watchdog is a function's process as an http.Handler. Its methods may be
// called concurrently.
type Watchdog struct {
	cfg   Config
	opt   Options
	mode  mode
	auth  *authenticator // nil: none
	limit *limiter
	chain http.Handler
}

// New returns a Watchdog that has started nothing.
func New(cfg Config, opt Options) (*Watchdog, error) {
	w := &Watchdog{cfg: cfg, opt: opt}
	for _, warning := range cfg.Warnings {
		opt.Logger.Warn("setting was passed over", "setting", warning)
	}
	env := environment{dir: opt.Dir, root: opt.Root, vars: cfg.Env}
	logs := newLogs(cfg, opt)
	forks := func() forker {
		return forker{cfg: cfg, env: env, logs: logs, log: opt.Logger, variables: opt.Variables}
	}
	switch cfg.Mode {
	case ModeHTTP, ModeInproc:
		s, err := newServer(cfg, opt, env, logs)
		if err != nil {
			return nil, err
		}
		w.mode = s
	case ModeStreaming:
		w.mode = &streaming{forker: forks()}
	case ModeSerializing:
		w.mode = &serializing{forker: forks()}
	case ModeClassic:
		w.mode = &classic{forker: forks()}
	case ModeStatic:
		w.mode = newStatic(cfg.StaticPath, opt.Root)
	default:
		return nil, fmt.Errorf("mode: %q is none of http, streaming, serializing, static, inproc", cfg.Mode)
	}
	w.chain = w.mode
	if cfg.JWT != nil {
		auth, err := newAuthenticator(*cfg.JWT, w.chain, opt.Logger)
		if err != nil {
			return nil, err
		}
		w.auth, w.chain = auth, auth
	}
	if cfg.MaxInflight > 0 {
		w.limit = &limiter{next: w.chain, max: int64(cfg.MaxInflight)}
		w.chain = w.limit
	}
	return w, nil
}

// Start brings the function up: in http mode it returns when the upstream
// accepts connections (see also AwaitReadyPath), the process has ended, or ctx
// is done. An error wraps ErrStart and names the command.
func (w *Watchdog) Start(ctx context.Context) error {
	if w.auth != nil {
		if err := w.auth.start(ctx); err != nil {
			return fmt.Errorf("jwt_auth: %w", err)
		}
	}
	return w.mode.start(ctx)
}

// Done is closed when the process that Start made has ended. It is nil, and so
// never ready, in the modes that have no such process.
func (w *Watchdog) Done() <-chan struct{} { return w.mode.done() }

// Close sends SIGTERM to the function's process group and waits for its end;
// when ctx is done first, it is killed.
func (w *Watchdog) Close(ctx context.Context) error { return w.mode.close(ctx) }

// Limited reports whether max_inflight requests are running.
func (w *Watchdog) Limited() bool { return w.limit != nil && w.limit.met() }

// ServeHTTP answers one request by the function.
func (w *Watchdog) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_/") && w.cfg.Mode != ModeInproc {
		switch r.URL.Path {
		case "/_/health":
			w.serveHealth(rw, r)
			return
		case "/_/ready":
			if w.cfg.Mode != ModeClassic {
				w.serveReady(rw, r)
				return
			}
		}
	}
	w.chain.ServeHTTP(rw, r)
}

// ForgetConnections drops idle connections to the function: after the process
// was restored from a snapshot they lead nowhere.
func (w *Watchdog) ForgetConnections() {
	if s, ok := w.mode.(*server); ok {
		s.up.closeIdle()
	}
}
