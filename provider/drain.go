package main

import (
	"context"
	"net/http"
	"time"
)

// later returns a context that ends delay after ctx has. The second result ends
// it at once and has to be called.
func later(ctx context.Context, delay time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-out.Done():
		}
	})
	return out, func() {
		stop()
		cancel()
	}
}

// partingFrom closes connections with the answers that they carry once ending is
// closed: clients then come back by new ones, which go somewhere else. A
// connection that is closed while it is idle may be closed under a request that
// is on its way, and clients do not send a POST again.
func partingFrom(ending <-chan struct{}, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-ending:
			w.Header().Set("Connection", "close")
		default:
		}
		next.ServeHTTP(w, r)
	})
}
