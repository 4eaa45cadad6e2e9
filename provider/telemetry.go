package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/faas-lambda/faas-lambda/provider/config"
)

// newLogger returns the program's own log, as the configuration wants it.
func newLogger(out io.Writer, cfg config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // checked by package config
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// tracing makes spans of requests and sends them by OTLP over HTTP, where the
// variables of OpenTelemetry name an endpoint (opentelemetry.io/docs/specs/otel,
// "OpenTelemetry Environment Variable Specification"); the exporter reads the
// rest of them by itself. Without an endpoint it costs nothing.
type tracing struct{ provider *trace.TracerProvider }

// newTracing returns tracing that end has to be called of.
func newTracing(ctx context.Context, getenv func(string) string) (tracing, error) {
	if getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" ||
		strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return tracing{}, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return tracing{}, fmt.Errorf("export traces: %w", err)
	}
	// What the environment says comes last, and counts.
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "faas-lambda"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return tracing{}, fmt.Errorf("describe this program for traces: %w", err)
	}
	return tracing{trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))}, nil
}

// wrap makes a span of each request but those of probes and of metrics.
func (t tracing) wrap(next http.Handler) http.Handler {
	if t.provider == nil {
		return next
	}
	return otelhttp.NewHandler(next, "faas-lambda",
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})),
		otelhttp.WithFilter(func(r *http.Request) bool {
			return r.URL.Path != "/healthz" && r.URL.Path != "/readyz" && r.URL.Path != "/metrics"
		}),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + route(r.URL.Path) }),
	)
}

// end sends what is left.
func (t tracing) end(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("export traces: %w", err)
	}
	return nil
}

// route is a path without what clients make up: its first two parts, or one
// where the second is a function.
func route(path string) string {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if first != "system" {
		return "/" + first
	}
	second, _, _ := strings.Cut(rest, "/")
	return "/system/" + second
}

// invocations logs each invocation at level debug.
func invocations(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		seen := &seenStatus{ResponseWriter: w, code: http.StatusOK}
		defer func() {
			if !strings.HasPrefix(r.URL.Path, "/function/") && !strings.HasPrefix(r.URL.Path, "/async-function/") {
				return
			}
			log.DebugContext(r.Context(), "invocation", "method", r.Method, "path", r.URL.Path, "code", seen.code,
				"seconds", time.Since(begin).Seconds(), "call", w.Header().Get("X-Call-Id"))
		}()
		next.ServeHTTP(seen, r)
	})
}

// seenStatus remembers the status that was written.
type seenStatus struct {
	http.ResponseWriter
	code int
}

func (s *seenStatus) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *seenStatus) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// serveProfiles answers Go's profiles on loopback until ctx ends. They tell what
// is in the memory, so nobody else may ask.
func serveProfiles(ctx context.Context, port int, log *slog.Logger) (wait func() error, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen for profiles on port %d: %w", port, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	log.Info("profiles are served", "address", listener.Addr().String())
	served := make(chan error, 1)
	go func() { served <- serveHTTP(ctx, listener, mux, 10*time.Second, ending{}) }()
	return func() error { return <-served }, nil
}
