package main

import (
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"
)

// observe counts requests and logs them, health checks aside.
func (s *standalone) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_/health" || r.URL.Path == "/_/ready" {
			next.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		o := &observed{ResponseWriter: w}
		s.metrics.inFlight.Add(1)
		defer func() {
			took := time.Since(began)
			s.metrics.inFlight.Add(-1)
			s.metrics.add(o.code(), r.Method, took)
			if !strings.HasPrefix(r.UserAgent(), "kube-probe") {
				log.Print(s.line(o, r, took))
			}
		}()
		next.ServeHTTP(o, r)
	})
}

// line is of-watchdog's form of an access log.
func (s *standalone) line(o *observed, r *http.Request, took time.Duration) string {
	text := fmt.Sprintf("%s %s - %d %s - ContentLength: %s (%.4fs)", r.Method, r.RequestURI, o.code(), http.StatusText(o.code()), human(o.bytes), took.Seconds())
	if !s.cfg.LogCallID {
		return text
	}
	id := r.Header.Get("X-Call-Id")
	if id == "" {
		id = "none"
	}
	return text + " [" + id + "]"
}

func human(n int64) string {
	size, units := float64(n), "BkMGT"
	for size >= 1000 && len(units) > 1 {
		size, units = size/1000, units[1:]
	}
	text := fmt.Sprintf("%.4g%c", size, units[0])
	if units[0] != 'B' {
		text += "B"
	}
	return text
}

// observed remembers what was answered.
type observed struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (o *observed) code() int {
	if o.status == 0 {
		return http.StatusOK
	}
	return o.status
}

func (o *observed) WriteHeader(status int) {
	if o.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *observed) Write(p []byte) (int, error) {
	n, err := o.ResponseWriter.Write(p)
	o.bytes += int64(n)
	return n, err
}

// Flush implements http.Flusher.
func (o *observed) Flush() {
	_ = http.NewResponseController(o.ResponseWriter).Flush() // a write says it if the client is gone
}

// Unwrap is for http.ResponseController.
func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }
