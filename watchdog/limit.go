package watchdog

import (
	"fmt"
	"net/http"
	"sync/atomic"
)

// limiter refuses a request when max are running already.
type limiter struct {
	next    http.Handler
	max     int64
	running atomic.Int64
}

func (l *limiter) met() bool { return l.running.Load() >= l.max }

func (l *limiter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer l.running.Add(-1)
	if l.running.Add(1) <= l.max {
		l.next.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-OpenFaaS-Internal", "faas-middleware")
	w.WriteHeader(http.StatusTooManyRequests)
	// The client's going away is all that can fail here.
	_, _ = fmt.Fprintf(w, "Concurrent request limit exceeded. Max concurrent requests: %d\n", l.max)
}
