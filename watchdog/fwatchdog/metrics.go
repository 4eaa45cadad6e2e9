package main

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// metrics are of-watchdog's three, served in Prometheus' text format. Three
// metrics do not justify the client library, which doubles a program's start.
type metrics struct {
	inFlight atomic.Int64

	mu     sync.Mutex // guards series
	series map[labels]*series
}

type labels struct {
	code   int
	method string
}

type series struct {
	buckets [len(bounds)]uint64 // not cumulative
	count   uint64
	sum     float64
}

// bounds are Prometheus' default buckets, in seconds.
var bounds = [...]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// methods are those that get a label of their own: a client must not be able to
// make series at will.
var methods = map[string]string{
	"GET": "get", "PUT": "put", "HEAD": "head", "POST": "post", "DELETE": "delete",
	"CONNECT": "connect", "OPTIONS": "options", "PATCH": "patch", "TRACE": "trace",
}

func newMetrics() *metrics { return &metrics{series: map[labels]*series{}} }

func (m *metrics) add(code int, method string, took time.Duration) {
	l := labels{code, methods[method]}
	if l.method == "" {
		l.method = "unknown"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.series[l]
	if s == nil {
		s = &series{}
		m.series[l] = s
	}
	s.count++
	s.sum += took.Seconds()
	if i, _ := slices.BinarySearch(bounds[:], took.Seconds()); i < len(bounds) {
		s.buckets[i]++
	}
}

func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/metrics" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(m.text()) // only the client's going away can fail
}

func (m *metrics) text() []byte {
	var b bytes.Buffer
	head := func(name, kind, help string) { fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	head("http_requests_in_flight", "gauge", "total HTTP requests in-flight")
	fmt.Fprintf(&b, "http_requests_in_flight %d\n", m.inFlight.Load())
	m.mu.Lock()
	defer m.mu.Unlock()
	order := make([]labels, 0, len(m.series))
	for l := range m.series {
		order = append(order, l)
	}
	slices.SortFunc(order, func(a, b labels) int {
		if a.code != b.code {
			return a.code - b.code
		}
		return strings.Compare(a.method, b.method)
	})
	head("http_requests_total", "counter", "total HTTP requests processed")
	for _, l := range order {
		fmt.Fprintf(&b, "http_requests_total{code=\"%d\",method=%q} %d\n", l.code, l.method, m.series[l].count)
	}
	head("http_request_duration_seconds", "histogram", "Seconds spent serving HTTP requests.")
	for _, l := range order {
		s, sum := m.series[l], uint64(0)
		name := fmt.Sprintf("code=\"%d\",method=%q", l.code, l.method)
		for i, bound := range bounds {
			sum += s.buckets[i]
			fmt.Fprintf(&b, "http_request_duration_seconds_bucket{%s,le=\"%g\"} %d\n", name, bound, sum)
		}
		fmt.Fprintf(&b, "http_request_duration_seconds_bucket{%s,le=\"+Inf\"} %d\n", name, s.count)
		fmt.Fprintf(&b, "http_request_duration_seconds_sum{%s} %g\nhttp_request_duration_seconds_count{%s} %d\n", name, s.sum, name, s.count)
	}
	return b.Bytes()
}
