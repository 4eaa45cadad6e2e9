package watchdog

import (
	"net/http"
	"net/url"
)

func (w *Watchdog) healthy() bool {
	select {
	case <-w.mode.done():
		return w.opt.Restart
	default:
		return w.opt.Healthy == nil || w.opt.Healthy()
	}
}

func (w *Watchdog) serveHealth(rw http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet:
		rw.WriteHeader(http.StatusMethodNotAllowed)
	case !w.healthy():
		rw.WriteHeader(http.StatusServiceUnavailable)
	default:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		// The client's going away is all that can fail here.
		_, _ = rw.Write([]byte("OK"))
	}
}

// serveReady answers /_/ready; with ready_path set, by the function's own
// answer to it, past max_inflight.
func (w *Watchdog) serveReady(rw http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet:
		rw.WriteHeader(http.StatusMethodNotAllowed)
	case !w.healthy():
		rw.WriteHeader(http.StatusServiceUnavailable)
	case w.Limited():
		rw.WriteHeader(http.StatusTooManyRequests)
	case w.cfg.ReadyPath == "":
		rw.WriteHeader(http.StatusOK)
	default:
		ready := r.Clone(r.Context())
		ready.RequestURI = w.cfg.ReadyPath
		if u, err := url.ParseRequestURI(w.cfg.ReadyPath); err == nil {
			ready.URL = u
		}
		w.mode.ServeHTTP(rw, ready)
	}
}
