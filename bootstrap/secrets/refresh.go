package secrets

import (
	"context"
	"errors"
	"time"
)

const (
	// refreshTimeout is how long one refresh may take.
	refreshTimeout = 10 * time.Second
	// refreshWait is how long an invocation waits for values that are too old.
	refreshWait = 2 * time.Second
	// firstRetry is when a failed refresh is tried again; each further failure
	// doubles it, up to the refresh time itself.
	firstRetry = 5 * time.Second
)

// refresh is a round of fetches that goes on beside invocations.
type refresh struct {
	began  time.Time
	cancel context.CancelFunc
	done   chan struct{}
}

// Refresh is to be called before each invocation. It costs nothing while the
// values are fresh. In the last quarter of their time it starts fetching them
// anew and returns at once; when they are older (the sandbox was frozen, or
// comes from a snapshot) it waits for that, two seconds at most and half the time
// until deadline (that of the invocation, or zero), so that no invocation sees a
// value older than the refresh time. After a failure the old values stay, nothing
// waits, and what failed is logged without the value.
//
// ctx is the runtime's, not the invocation's: the fetch may outlast the
// invocation that started it, and ends with ctx, with Close, or by its own
// timeout.
func (s *Store) Refresh(ctx context.Context, deadline time.Time) {
	if s == nil {
		return
	}
	awaited := s.due(ctx, s.now())
	if awaited == nil {
		return
	}
	wait := s.wait
	if !deadline.IsZero() {
		wait = min(wait, time.Until(deadline)/2)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-awaited:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// due starts a refresh if it is time, and returns what is to be waited for, if
// anything.
func (s *Store) due(ctx context.Context, now time.Time) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := now.Sub(s.fresh)
	if age < 0 { // the clock was set back: the age is unknown
		age = s.ttl
	}
	if s.ttl == 0 || age < s.ttl-s.ttl/4 {
		return nil
	}
	if r := s.running; r != nil && now.Sub(r.began) > refreshTimeout {
		// It was frozen with the sandbox; its connections are dead, and so is it.
		r.cancel()
		s.running = nil
	}
	if s.running == nil {
		if now.Before(s.retry) {
			return nil
		}
		s.start(ctx, now)
	}
	if age < s.ttl || s.failures > 0 {
		return nil
	}
	return s.running.done
}

func (s *Store) start(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	r := &refresh{began: now, cancel: cancel, done: make(chan struct{})}
	s.running = r
	s.ended.Go(func() {
		defer cancel()
		defer close(r.done)
		values, failed := s.client.fetchAll(ctx, s.named)
		s.finish(r, values, failed)
	})
}

// finish takes over what r fetched, unless another refresh has taken its place.
func (s *Store) finish(r *refresh, values [][]byte, failed []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != r || s.ttl == 0 {
		return
	}
	s.running = nil
	err := errors.Join(errors.Join(failed...), s.write(values))
	if err == nil {
		s.fresh, s.failures, s.retry = r.began, 0, time.Time{}
		return
	}
	if s.now().Sub(r.began) > refreshTimeout+time.Second {
		return // it was frozen with the sandbox: that says nothing about AWS
	}
	s.log.Warn("secrets were not refreshed, their old values stay", "error", err.Error())
	s.failures++
	s.retry = s.now().Add(min(firstRetry<<min(s.failures-1, 10), max(s.ttl, time.Second)))
}
