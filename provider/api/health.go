package api

import (
	"context"
	"net/http"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// probeWait is how long a check may take: Kubernetes' probes wait for a second
// unless told otherwise (timeoutSeconds of a probe).
const probeWait = 900 * time.Millisecond

// health tells that the program runs, whatever lies behind it: restarting it
// would not mend that.
func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
}

// ready tells whether invocations can be answered, and go on being so.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.opts.Closing:
		s.metrics.ready.WithLabelValues().Set(0)
		http.Error(w, "the provider is about to end", http.StatusServiceUnavailable)
		return
	default:
	}
	if b, ok := s.backend.(backend.Checker); ok {
		ctx, cancel := context.WithTimeout(r.Context(), probeWait)
		defer cancel()
		if err := b.Check(ctx); err != nil {
			s.metrics.ready.WithLabelValues().Set(0)
			s.fail(w, r, backend.As(backend.ErrUnavailable, err))
			return
		}
	}
	s.metrics.ready.WithLabelValues().Set(1)
	s.health(w, r)
}
