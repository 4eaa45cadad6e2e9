package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
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
// closed: clients then come back by new ones, which go somewhere else.
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

// ending is how a server ends.
type ending struct {
	grace time.Duration // for requests under way; those that take longer are cut
	// patient leaves connections that are idle to their clients, within grace. One
	// that the server closes may be closed under a request that is on its way, and
	// clients do not send a POST again.
	patient bool
}

// connections counts those of a server that are open.
type connections struct {
	mu   sync.Mutex // guards the rest
	open int
	gone chan struct{} // closed when none is open; nil while nobody waits
}

// note is an http.Server's ConnState.
func (c *connections) note(_ net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.open++
	case http.StateClosed, http.StateHijacked:
		c.open--
	}
	if c.open == 0 && c.gone != nil {
		close(c.gone)
		c.gone = nil
	}
}

// wait returns when none is open any more, or when ctx ends. No new ones may come.
func (c *connections) wait(ctx context.Context) {
	c.mu.Lock()
	if c.open == 0 {
		c.mu.Unlock()
		return
	}
	gone := make(chan struct{})
	c.gone = gone
	c.mu.Unlock()
	select {
	case <-gone:
	case <-ctx.Done():
	}
}

// underway are the requests that are being answered.
type underway struct {
	mu sync.RWMutex // held for reading by each of them
}

func (u *underway) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.RLock()
		defer u.mu.RUnlock()
		next.ServeHTTP(w, r)
	})
}

// lastUndo is how long the end of the program waits for changes that were cut off
// to be undone. The chart has 15 s for it and lastSpans.
const lastUndo = 10 * time.Second

// giveUp cuts off what is still under way when the server has ended, and waits for
// it to be undone.
func (u *underway) giveUp(ctx context.Context, cutOff func(), log *slog.Logger) {
	if u.none() {
		return
	}
	log.Warn("requests were cut off: they took longer than shutdown_timeout")
	cutOff()
	undo, cancel := context.WithTimeout(ctx, lastUndo)
	defer cancel()
	if err := u.end(undo); err != nil {
		log.Warn("what changes had begun was not undone: the next list of a provider does it")
	}
}

// none tells whether there are none. It is asked once no new ones come.
func (u *underway) none() bool {
	if !u.mu.TryLock() {
		return false
	}
	u.mu.Unlock()
	return true
}

// end waits until there are none, or ctx ends.
func (u *underway) end(ctx context.Context) error {
	ended := make(chan struct{})
	go func() { // ends with the last request, or with the program
		u.mu.Lock()
		defer u.mu.Unlock()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
