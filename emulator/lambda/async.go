package lambda

import (
	"errors"
	"time"
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

// How an asynchronous invocation ends, as its record says it.
const (
	conditionSuccess = "Success"
	conditionRetries = "RetriesExhausted"
	conditionAge     = "EventAgeExceeded"
)

// result is how an asynchronous invocation ended.
type result struct {
	condition string // "": it was dropped, because its function is gone
	attempts  int
	version   string // that ran last
	failure   *functionError
	response  []byte // of a success
}

// attempt runs the event until it succeeds, has failed too often, has become too old, or its function is gone. How often and how old is looked
// up each time: it may be changed meanwhile. It reports false when the server closes before.
func (s *Service) attempt(q ref, ev event, w *waitingEvent) (r result, ended bool) {
	r.attempts = w.Attempts
	for {
		retries, lifetime := len(s.retryDelays), asyncLifetime
		if c := s.attachedTo(q).Async; c != nil {
			if c.MaximumRetryAttempts != nil {
				retries = min(retries, *c.MaximumRetryAttempts)
			}
			if c.MaximumEventAgeInSeconds != nil {
				lifetime = time.Duration(*c.MaximumEventAgeInSeconds) * time.Second
			}
		}
		if time.Since(w.Began) >= lifetime {
			r.condition = conditionAge
			return r, true
		}
		pause := throttleDelay
		l, err := s.acquire(q)
		var refused *apiError
		switch {
		case err == nil:
			done := s.once(&r, l, ev)
			if s.ctx.Err() != nil && !done {
				return result{}, false // it was cut off: the next program begins again
			}
			if r.attempts > retries && !done {
				r.condition, done = conditionRetries, true
			}
			if done {
				return r, true
			}
			s.failedOnce(w, r.attempts)
			pause = s.retryDelays[r.attempts-1]
		case errors.As(err, &refused) && refused.code != "TooManyRequestsException":
			s.opts.Logger.Warn("asynchronous invocation was dropped", "function", q.name, "error", err)
			return r, true
		}
		if !s.pause(min(pause, lifetime-time.Since(w.Began))) {
			return result{}, false
		}
	}
}

// once makes one attempt, and reports whether it succeeded.
func (s *Service) once(r *result, l *lease, ev event) bool {
	out, body := s.run(l, ev)
	r.attempts++
	r.version, r.failure = l.version, out.failure
	if out.err != nil || out.failure != nil {
		return false
	}
	r.condition, r.response = conditionSuccess, body
	return true
}

// run makes one invocation with the lease, which it gives back, and returns its whole answer.
func (s *Service) run(l *lease, ev event) (out outcome, body []byte) {
	v := newReceiver()
	defer v.leave()
	done, err := s.begin(l, ev, v)
	if err != nil {
		return outcome{err: err}, nil
	}
	var failure *functionError
	select {
	case response := <-v.responses:
		body, failure = collect(response, ev.requestID)
		out = <-done
	case out = <-done:
		select {
		case response := <-v.responses:
			body, failure = collect(response, ev.requestID)
		default:
		}
	}
	if out.failure == nil {
		out.failure = failure
	}
	return out, body
}

// pause waits and reports false when the server closes before.
func (s *Service) pause(d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}
