package emulator

import (
	"errors"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// delay is how long an asynchronous invocation waits after an attempt that failed.
type delay = time.Duration

// asyncDelays are Lambda's: two more attempts, after one and after two minutes (AWS: "Asynchronous invocation").
var asyncDelays = []delay{time.Minute, 2 * time.Minute}

// throttleDelay is the time between attempts that were throttled; they do not count. AWS goes on for six hours; so does this.
const (
	throttleDelay   = time.Second
	asyncLifetime   = 6 * time.Hour
	maxAsyncWaiting = 10_000
)

// enqueue runs the event in the background.
func (s *Server) enqueue(target, qualifier string, ev event) error {
	q, err := s.named(target, qualifier)
	if err != nil {
		return err
	}
	if q.qualifier == "" {
		q.qualifier = latest
	}
	if s.waiting.Add(1) > maxAsyncWaiting {
		s.waiting.Add(-1)
		return throttled("CallerRateLimitExceeded")
	}
	started := s.background(func() {
		defer s.waiting.Add(-1)
		s.attempt(q, ev)
	})
	if !started {
		s.waiting.Add(-1)
		return errors.New("the emulator is closing")
	}
	return nil
}

// attempt runs the event until it succeeds, has failed too often, or its function is gone.
func (s *Server) attempt(q ref, ev event) {
	until := time.Now().Add(asyncLifetime)
	for failures := 0; time.Now().Before(until); {
		pause := throttleDelay
		l, err := s.acquire(q)
		var refused *apiError
		switch {
		case err == nil:
			out := s.execute(l, ev, discard)
			s.fleet.release(l)
			if out.err == nil && out.failure == nil || failures == len(s.retryDelays) {
				return
			}
			pause = s.retryDelays[failures]
			failures++
		case errors.As(err, &refused) && refused.code != "TooManyRequestsException":
			s.opts.Logger.Warn("asynchronous invocation was dropped", "function", q.name, "error", err)
			return
		}
		if !s.pause(pause) {
			return
		}
	}
}

func discard(r sandbox.Response) { _ = r.Body.Close() } // it never fails

// pause waits and reports false when the server closes before.
func (s *Server) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}
