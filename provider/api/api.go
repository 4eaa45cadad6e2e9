// Package api answers OpenFaaS' provider interface over a backend.Backend. It
// checks and decodes requests, resolves names, and is the one place where
// errors become status codes; it knows no platform, opens no port and reads no
// environment.
//
// It uses faas-provider's types and its basic auth, but not its bootstrap.Serve:
// that one listens on every interface, keeps its routes in a global router,
// leaves the namespace routes without auth, cuts long invocations and logs by
// its read and write timeouts, and ends the process from a goroutine when it
// cannot listen. So New returns a plain http.Handler with the same routes, for
// a server that the caller owns and that must set neither ReadTimeout nor
// WriteTimeout: a function may run for 15 minutes.
package api

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/openfaas/faas-provider/auth"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Options configure the handlers. Namespace is required.
type Options struct {
	Namespace    string                     // the default namespace
	Credentials  *auth.BasicAuthCredentials // nil turns basic auth off
	Version, SHA string                     // of this program, for /system/info
	ReadTimeout  time.Duration              // for the body of a request to /system; 0 is none
	WriteTimeout time.Duration              // for writing an answer of /system; 0 is none
	Logger       *slog.Logger               // nil discards

	// Registry is what /metrics serves, the handlers' own metrics among it;
	// nil makes one. Whoever wires adds what a backend collects.
	Registry *prometheus.Registry
	// Closing, when it is closed, makes /readyz say no, and ends the logs that
	// clients follow, which else would last as long as the clients want; nil
	// never is.
	Closing <-chan struct{}
	// Ending, when it is closed, ends the deployments and deletions under way,
	// which go on when their clients go; nil never is.
	Ending <-chan struct{}
}

// server holds what the handlers share; nothing in it changes after New.
type server struct {
	backend   backend.Backend
	opts      Options
	log       *slog.Logger
	metrics   *metrics
	functions *functionMetrics
}

// name is faas-provider's expression for a function's name.
const name = "{name:[-a-zA-Z_0-9.]+}"

// New returns the handler of every route.
func New(b backend.Backend, opts Options) http.Handler {
	if opts.Registry == nil {
		opts.Registry = prometheus.NewRegistry()
	}
	s := &server{backend: b, opts: opts, log: opts.Logger, metrics: newMetrics(opts.Registry, opts.Version, opts.SHA), functions: newFunctionMetrics(opts.Registry)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	// The path goes to the function as the client wrote it: neither decoded
	// nor cleaned.
	router := mux.NewRouter().UseEncodedPath().SkipClean(true)
	s.system(router)
	for _, path := range []string{name, name + "/", name + "/{params:.*}"} {
		router.Handle("/function/"+path, s.metrics.observe("/function", s.invoke))
		router.Handle("/async-function/"+path, s.metrics.observe("/async-function", s.invokeAsync))
	}
	router.HandleFunc("/healthz", s.health).Methods(http.MethodGet, http.MethodHead)
	router.HandleFunc("/readyz", s.ready).Methods(http.MethodGet, http.MethodHead)
	router.Handle("/metrics", s.metrics.handler()).Methods(http.MethodGet, http.MethodHead)
	router.MethodNotAllowedHandler = s.notAllowed(router)
	return router
}

// notAllowed answers on a route that other methods have, and says which.
func (s *server) notAllowed(router *mux.Router) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range invokeMethods {
			other := r.Clone(r.Context())
			other.Method = method
			if match := (mux.RouteMatch{}); router.Match(other, &match) && match.MatchErr == nil {
				allowed = append(allowed, method)
			}
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.fail(w, r, backend.Errorf(errMethod, "method %s is not allowed", r.Method))
	}
}

// system adds the routes that basic auth protects: all of them, the namespace
// routes too.
func (s *server) system(router *mux.Router) {
	get, post, put, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	handle := func(path, label string, h http.HandlerFunc, methods ...string) {
		if s.opts.Credentials != nil {
			h = auth.DecorateWithBasicAuth(h, s.opts.Credentials)
		}
		router.Handle(path, s.metrics.observe(label, identified(h))).Methods(methods...)
	}
	handle("/system/functions", "/system/functions", s.list, get)
	handle("/system/functions", "/system/functions", s.deploy, post)
	handle("/system/functions", "/system/functions", s.update, put)
	handle("/system/functions", "/system/functions", s.delete, del)
	handle("/system/function/"+name, "/system/function", s.status, get)
	handle("/system/scale-function/"+name, "/system/scale-function", s.scale, post)
	handle("/system/info", "/system/info", s.info, get)
	handle("/system/namespaces", "/system/namespaces", s.listNamespaces, get)
	handle("/system/namespace/{name:[-a-zA-Z_0-9.]*}", "/system/namespace", s.namespace, get, post, put, del)
	handle("/system/secrets", "/system/secrets", s.secrets, get, post, put, del)
	handle("/system/logs", "/system/logs", s.logs, get)
}

// identified gives the answer the request's id, or one where it has none: the log
// has it too.
func identified(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(callHeader, cmp.Or(r.Header.Get(callHeader), callID()))
		next(w, r)
	}
}

// lacks answers for an ability that the backend does not have, in words that
// faas-cli prints.
func (s *server) lacks(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, backend.As(backend.ErrUnsupported, errors.New(text)))
	}
}
