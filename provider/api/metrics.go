package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the two that OpenFaaS' dashboards know of a provider, in the
// registry that /metrics serves. Every label has a bounded set of values: path is the
// route, never what the client wrote.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	ready    *prometheus.GaugeVec // absent until somebody has asked
}

func newMetrics(registry *prometheus.Registry, version, sha string) *metrics {
	labels := []string{"code", "method", "path"}
	m := &metrics{
		registry: registry,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "provider_http_requests_total", Help: "Total number of HTTP requests.",
		}, labels),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "provider_http_request_duration_seconds", Help: "Seconds spent serving HTTP requests.", Buckets: prometheus.DefBuckets,
		}, labels),
		ready: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "faas_lambda_ready", Help: "What /readyz answered last: 1, or 0 while invocations cannot be answered.",
		}, nil),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "faas_lambda_build_info", Help: "1, with the version and the commit of the program as labels.",
		ConstLabels: prometheus.Labels{"version": version, "sha": sha},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.seconds, m.ready, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// observe counts and times what next answers, also when it aborts.
func (m *metrics) observe(path string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		seen := &observed{ResponseWriter: w, code: http.StatusOK}
		defer func() {
			values := []string{strconv.Itoa(seen.code), method(r.Method), path}
			m.requests.WithLabelValues(values...).Inc()
			m.seconds.WithLabelValues(values...).Observe(time.Since(start).Seconds())
		}()
		next(seen, r)
	})
}

// method returns a request's method as a label: clients may make up others.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// observed remembers the status that was written.
type observed struct {
	http.ResponseWriter
	code    int
	written bool
}

// Unwrap lets http.ResponseController find Flush and the deadlines.
func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func (o *observed) WriteHeader(code int) {
	if !o.written && code >= http.StatusOK {
		o.code, o.written = code, true
	}
	o.ResponseWriter.WriteHeader(code)
}

func (o *observed) Write(p []byte) (int, error) {
	o.written = true
	return o.ResponseWriter.Write(p)
}
