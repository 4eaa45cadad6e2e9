package lambda

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
)

// waitingEvent is an asynchronous invocation that is not done with, as it is kept: the next program goes on with it.
type waitingEvent struct {
	ID                  string // of the request
	Function, Qualifier string
	ARN                 string // as it was invoked
	Payload             []byte
	TraceID             string
	ClientContext       string
	Began               time.Time
	Attempts            int // that have failed
}

func openWaiting(dir string) (*keep.Documents[waitingEvent], error) {
	kept, err := keep.OpenDocuments(filepath.Join(dir, "events-waiting"), func(w *waitingEvent) string { return w.ID })
	if err != nil {
		return nil, err
	}
	kept.Volatile = true // as many as there are, and gone soon
	return kept, nil
}

// enqueue keeps the event and runs it in the background.
func (s *Service) enqueue(target, qualifier string, ev event) error {
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
	w := &waitingEvent{
		ID: ev.requestID, Function: q.name, Qualifier: q.qualifier, ARN: ev.arn, Payload: ev.payload, TraceID: ev.traceID, ClientContext: ev.clientContext, Began: time.Now(),
	}
	s.events.Lock()
	err = s.events.Put(w.ID, w)
	s.events.Unlock()
	if err == nil && !s.background(func() { s.runLater(w) }) {
		err = errors.New("the emulator is closing")
	}
	if err != nil {
		s.waiting.Add(-1)
	}
	return err
}

// startWaiting goes on with what the last program has not come to the end of, in the order in which it came.
func (s *Service) startWaiting() {
	s.events.Lock()
	kept := slices.SortedFunc(maps.Values(s.events.All), func(a, b *waitingEvent) int { return a.Began.Compare(b.Began) })
	s.events.Unlock()
	for _, w := range kept {
		s.waiting.Add(1)
		s.background(func() { s.runLater(w) })
	}
}

// runLater brings an event to its end, of which it tells, or leaves it to the next program.
func (s *Service) runLater(w *waitingEvent) {
	defer s.waiting.Add(-1)
	q := ref{name: w.Function, qualifier: w.Qualifier}
	ev := event{requestID: w.ID, arn: w.ARN, traceID: w.TraceID, clientContext: w.ClientContext, payload: w.Payload}
	r, ended := s.attempt(q, ev, w)
	if !ended {
		return
	}
	if r.condition != "" {
		s.tell(q, ev, r)
	}
	s.events.Lock()
	defer s.events.Unlock()
	if err := s.events.Remove(w.ID); err != nil {
		s.opts.Logger.Error("asynchronous invocation was not removed", "function", w.Function, "error", err)
	}
}

// failedOnce keeps how many attempts of an event have failed.
func (s *Service) failedOnce(w *waitingEvent, attempts int) {
	next := *w
	next.Attempts = attempts
	s.events.Lock()
	defer s.events.Unlock()
	if err := s.events.Put(w.ID, &next); err != nil {
		s.opts.Logger.Error("asynchronous invocation was not saved", "function", w.Function, "error", err)
	}
}
