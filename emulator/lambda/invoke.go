package lambda

import (
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// Invocation types.
const (
	invokeSync   = "RequestResponse"
	invokeAsync  = "Event"
	invokeDryRun = "DryRun"
)

// answerGrace is how long a complete answer waits for the function to be ready for the next event, so that a caller that sends one right away
// meets a free sandbox. Only functions that go on working after their answer take longer.
const answerGrace = 100 * time.Millisecond

// receiver takes the response of an invocation for a client that may leave before.
type receiver struct {
	responses chan sandbox.Response

	mu   sync.Mutex // guards gone
	gone bool
}

func newReceiver() *receiver { return &receiver{responses: make(chan sandbox.Response, 1)} }

func (v *receiver) begin(r sandbox.Response) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gone {
		_ = r.Body.Close() // it never fails
		return
	}
	v.responses <- r
}

// leave lets the function run on; what it answers is dropped.
func (v *receiver) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gone = true
	select {
	case r := <-v.responses:
		_ = r.Body.Close() // it never fails
	default:
	}
}

// request reads what the two invoke operations have in common. A nil lease without error means DryRun.
func (s *Service) request(w http.ResponseWriter, r *http.Request, target, kind string) (*lease, event, error) {
	var c constraints
	if v := r.Header.Get("X-Amz-Log-Type"); v != "" {
		c.oneOf("logType", v, "None", "Tail")
	}
	c.oneOf("invocationType", kind, invokeAsync, invokeSync, invokeDryRun)
	if err := c.err(); err != nil {
		return nil, event{}, err
	}
	q, err := s.named(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return nil, event{}, err
	}
	payload, err := readPayload(r, kind)
	if err != nil {
		return nil, event{}, err
	}
	clientContext, err := readClientContext(r.Header)
	if err != nil {
		return nil, event{}, err
	}
	ev := event{requestID: w.Header().Get("x-amzn-RequestId"), payload: payload, clientContext: clientContext, traceID: traceID(r.Header)}
	w.Header().Set("X-Amzn-Trace-Id", ev.traceID)
	ev.arn = s.arn(q.name)
	if q.qualifier != "" {
		ev.arn += ":" + q.qualifier
	} else {
		q.qualifier = latest // its error names it
	}
	if kind != invokeSync {
		return nil, ev, s.invocable(q)
	}
	l, err := s.acquire(q)
	if err == nil {
		w.Header().Set("X-Amz-Executed-Version", l.version)
	}
	return l, ev, err
}

// invocable says why a function cannot be invoked now.
func (s *Service) invocable(q ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, err := s.live(q)
	return err
}

// live finds the version to run. The caller holds s.mu.
func (s *Service) live(q ref) (*function, *version, error) {
	f := s.functions[q.name]
	if f == nil {
		return nil, nil, s.missing(q)
	}
	v := f.find(f.choose(q.qualifier))
	if v == nil {
		return nil, nil, s.missing(q)
	}
	if v.Config.State != stateActive || v.Live == nil {
		return nil, nil, conflict("The operation cannot be performed at this time. The function is currently in the following state: %s", v.Config.State)
	}
	return f, v, nil
}

// choose throws the dice of an alias with two versions; other qualifiers stay what they are.
func (f *function) choose(qualifier string) string {
	a := f.Aliases[qualifier]
	if a == nil {
		return qualifier
	}
	for number, weight := range a.Weights {
		if rand.Float64() < weight {
			return number
		}
	}
	return a.Version
}

// acquire gets the right to one invocation, or the error of a throttle.
func (s *Service) acquire(q ref) (*lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, v, err := s.live(q)
	if err != nil {
		return nil, err
	}
	unreserved := s.opts.Concurrency - s.reserved("") - s.totalProvisioned("", "")
	at := post{q.name, v.Config.Version}
	l, busy, err := s.fleet.acquire(at, v.Live, f.Reserved, unreserved)
	resource := q.name
	if q.qualifier != latest {
		resource += ":" + q.qualifier
	}
	if err != nil {
		s.measure("Throttles", resource, at.version, 1, "Count")
		return nil, err
	}
	s.measure("ConcurrentExecutions", resource, at.version, float64(busy), "Count")
	return l, nil
}

// begin runs the invocation to its end whatever becomes of the client. The channel gets the outcome once the sandbox is free again.
func (s *Service) begin(l *lease, ev event, v *receiver) (<-chan outcome, error) {
	done := make(chan outcome, 1)
	started := s.background(func() {
		out := s.execute(l, ev, v.begin)
		s.fleet.release(l)
		done <- out
	})
	if !started {
		s.fleet.release(l)
		return nil, errors.New("the emulator is closing")
	}
	return done, nil
}

func (s *Service) invoke(w http.ResponseWriter, r *http.Request, target string) error {
	kind := r.Header.Get("X-Amz-Invocation-Type")
	if kind == "" {
		kind = invokeSync
	}
	l, ev, err := s.request(w, r, target, kind)
	switch {
	case err != nil:
		return err
	case kind == invokeDryRun:
		w.WriteHeader(http.StatusNoContent)
		return nil
	case kind == invokeAsync:
		if err := s.enqueue(target, r.URL.Query().Get("Qualifier"), ev); err != nil {
			return err
		}
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	v := newReceiver()
	defer v.leave()
	done, err := s.begin(l, ev, v)
	if err != nil {
		return err
	}
	return s.answer(w, r, v, done)
}

// answer waits for the whole response and sends it.
func (s *Service) answer(w http.ResponseWriter, r *http.Request, v *receiver, done <-chan outcome) error {
	tail := r.Header.Get("X-Amz-Log-Type") == "Tail"
	var body []byte
	var out outcome
	select {
	case response := <-v.responses:
		var failure *functionError
		body, failure = collect(response, w.Header().Get("x-amzn-RequestId"))
		out = s.await(r, done, tail)
		if failure != nil && out.failure == nil {
			out.failure = failure
		}
	case out = <-done:
		select {
		case response := <-v.responses:
			body, _ = collect(response, "") // complete, as the invocation is
		default:
		}
	case <-r.Context().Done():
		return nil
	}
	if out.err != nil {
		return serviceError(out.err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if out.failure != nil {
		h.Set("X-Amz-Function-Error", unhandled)
		body = out.failure.document
	}
	if tail && out.log != nil {
		h.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(out.log.tail()))
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // the client is gone
	return nil
}

// await gives the invocation a moment to end, or all the time it takes when its log is wanted.
func (s *Service) await(r *http.Request, done <-chan outcome, fully bool) outcome {
	var limit <-chan time.Time
	if !fully {
		timer := time.NewTimer(s.answerGrace)
		defer timer.Stop()
		limit = timer.C
	}
	select {
	case out := <-done:
		return out
	case <-limit:
	case <-r.Context().Done():
	}
	return outcome{}
}

// collect reads a response for a caller who wants it whole, which must not exceed the limit even when it was streamed.
func collect(response sandbox.Response, requestID string) ([]byte, *functionError) {
	body, err := io.ReadAll(io.LimitReader(response.Body, sandbox.MaxResponse+1))
	_ = response.Body.Close() // it never fails
	if len(body) > sandbox.MaxResponse {
		return nil, describe(&sandbox.Failure{Kind: sandbox.TooLarge}, requestID, 0)
	}
	if err != nil {
		return nil, describe(err, requestID, 0)
	}
	return body, nil
}
