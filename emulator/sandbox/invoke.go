package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// ErrBroken means that the sandbox itself ended, not the function.
var ErrBroken = errors.New("sandbox ended")

// Invocation is one event for the function.
type Invocation struct {
	RequestID       string
	Deadline        time.Time
	FunctionARN     string
	TraceID         string // X-Ray header; empty for none
	ClientContext   string // JSON; empty for none
	CognitoIdentity string // JSON; empty for none
	Payload         []byte
}

// Response is the function's answer as it begins.
type Response struct {
	ContentType string
	Streaming   bool
	// Body of a buffered response is complete and never fails; that of a streaming one ends with a *Failure when the function fails in the
	// middle of it. The receiver closes it; closing early lets the function run on and discards the rest.
	Body io.ReadCloser
}

// Failure is how an invocation or an initialization failed, in Lambda's terms.
type Failure struct {
	Kind    FailureKind
	Type    string // for Posted: what the runtime called it, may be empty; for Extension: Extension.Crash, Extension.LaunchError, ...
	Payload []byte // for Posted: what the runtime posted
	Status  string // for Exited: as Exit.Status; for Extension: likewise, or what it has said
	Entry   string // for NoEntry and NoDir: as Exit.Entry
}

// FailureKind tells failures apart.
type FailureKind int

// Kinds of failures.
const (
	Posted    FailureKind = iota + 1 // the runtime posted an error
	Exited                           // bootstrap ended
	NoEntry                          // bootstrap could not be started
	NoDir                            // likewise: there is no such working directory
	TimedOut                         // the deadline passed; the sandbox has been killed
	TooLarge                         // the response exceeds MaxResponse
	Extension                        // an external extension failed
)

func (f *Failure) Error() string {
	switch f.Kind {
	case Posted:
		return fmt.Sprintf("function failed: %s", f.Type)
	case Exited:
		return fmt.Sprintf("runtime exited: %s", f.Status)
	case NoEntry, NoDir:
		return fmt.Sprintf("start runtime: %s", f.Entry)
	case Extension:
		return fmt.Sprintf("extension failed: %s: %s", f.Type, f.Status)
	case TimedOut:
		return "function timed out"
	default:
		return "response is too large"
	}
}

// call is one invocation on its way through the Runtime API. Its fields are guarded by runtimeState.mu, but for what is set at the start.
type call struct {
	Invocation
	begin    func(Response)
	finished chan struct{} // closed when the runtime and the external extensions have asked for the next event
	done     bool          // the runtime has

	phase   callPhase
	handled chan struct{} // closed when the Runtime API request that carries the answer is over; nil before it
	failure *Failure
	stream  *io.PipeWriter
}

type callPhase int

const (
	waiting    callPhase = iota // for the runtime to fetch it
	running                     // fetched
	responding                  // the response is on its way
	answered
)

// runtimeState is the state of the Runtime API.
type runtimeState struct {
	mu         sync.Mutex    // guards the fields below
	polled     bool          // the runtime has asked for its first event
	ready      chan struct{} // closed with isReady: the external extensions have, too
	isReady    bool
	initFailed *Failure
	initError  chan struct{} // closed with initFailed
	current    *call
	waiter     chan *call            // a runtime that waits in /next; nil when none does
	extensions map[string]*extension // by the identifiers that they got
	externals  map[string]*external  // the external extensions, by name
	registered chan struct{}         // closed when all of these have
	crashed    *Failure              // of one of these
	ended      bool
	over       chan struct{} // closed with ended
	maxMemory  int64
}

func (st *runtimeState) init() {
	st.ready, st.over, st.initError = make(chan struct{}), make(chan struct{}), make(chan struct{})
	st.registered = make(chan struct{})
	st.extensions, st.externals = map[string]*extension{}, map[string]*external{}
}

// end lets every Runtime API request return.
func (st *runtimeState) end() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ended {
		return
	}
	st.ended = true
	close(st.over)
	if st.current != nil && st.current.stream != nil {
		st.current.stream.CloseWithError(ErrBroken)
	}
}

// Boot starts the external extensions and, when they have registered, bootstrap, and waits for all to ask for their first event. It returns how long
// that took and a *Failure if the function or an extension failed; after a failure the sandbox is of no more use. When ctx ends first, the failure is
// TimedOut and the sandbox killed.
func (s *Sandbox) Boot(ctx context.Context) (time.Duration, error) {
	s.started = time.Now()
	if len(s.state.externals) > 0 {
		if err := s.bootUntil(ctx, order{Extend: true}, s.state.registered); err != nil {
			return time.Since(s.started), err
		}
	}
	err := s.bootUntil(ctx, order{Start: true}, s.state.ready)
	return time.Since(s.started), err
}

// bootUntil takes one step and waits until it is done.
func (s *Sandbox) bootUntil(ctx context.Context, step order, done <-chan struct{}) error {
	if err := s.control.send(step); err != nil {
		return fmt.Errorf("boot sandbox: %w", errors.Join(err, ErrBroken))
	}
	select {
	case <-done:
		return nil
	case <-s.failed:
	case <-s.state.initError:
		s.awaitRuntime(shutdownGrace)
		s.Kill()
	case <-ctx.Done():
		s.Kill()
		return &Failure{Kind: TimedOut}
	}
	if s.fault != nil {
		return fmt.Errorf("boot sandbox: %w", errors.Join(s.fault, ErrBroken))
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if s.state.initFailed != nil {
		return s.state.initFailed
	}
	return s.failure()
}

// failure is why failed has been closed. The caller holds state.mu.
func (s *Sandbox) failure() *Failure {
	select {
	case <-s.runtimeEnded: // with it the extensions end
		return s.exitFailure()
	default:
	}
	if s.state.crashed != nil {
		return s.state.crashed
	}
	return s.exitFailure()
}

// exitFailure is for after the exit.
func (s *Sandbox) exitFailure() *Failure {
	switch {
	case s.exit.NoDir:
		return &Failure{Kind: NoDir, Entry: s.exit.Entry}
	case s.exit.Entry != "":
		return &Failure{Kind: NoEntry, Entry: s.exit.Entry}
	}
	return &Failure{Kind: Exited, Status: s.exit.Status}
}

// Invoke hands the event to the runtime and the extensions that want it, and returns when the runtime has answered and all have asked for the next, or
// one has failed. begin is called once
// when an answer begins, from another goroutine; it must not block. After the deadline, or when ctx ends, the sandbox is killed. The result
// is nil or a *Failure; see Reusable for whether the sandbox is of further use.
func (s *Sandbox) Invoke(ctx context.Context, inv Invocation, begin func(Response)) (time.Duration, error) {
	s.wake()
	defer s.doze()
	start := time.Now()
	c := &call{Invocation: inv, begin: begin, finished: make(chan struct{})}
	s.state.submit(c)
	deadline := time.NewTimer(time.Until(inv.Deadline))
	defer deadline.Stop()
	var timedOut bool
	var took time.Duration
	select {
	case <-c.finished:
		took = time.Since(start)
	case <-s.failed:
		took = time.Since(start)
	case <-deadline.C:
		timedOut, took = true, time.Since(start)
		s.end(reasonTimeout)
	case <-ctx.Done():
		timedOut, took = true, time.Since(start)
		s.Kill()
	}
	if failure := s.outcome(c, timedOut); failure != nil {
		return took, failure
	}
	return took, nil
}

// outcome settles what came of a call that is finished or whose sandbox is gone; then the connection of an answer on its way is gone too.
func (s *Sandbox) outcome(c *call, timedOut bool) *Failure {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if handled := c.handled; handled != nil {
		s.state.mu.Unlock()
		<-handled
		s.state.mu.Lock()
	}
	if s.state.current == c {
		s.state.current = nil
	}
	switch {
	case c.phase == answered || c.failure != nil && !timedOut:
		return c.failure
	case timedOut:
		return &Failure{Kind: TimedOut}
	default:
		return s.failure()
	}
}

// submit gives the call to the waiting runtime, or keeps it until the runtime asks.
func (st *runtimeState) submit(c *call) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.current = c
	for _, e := range st.extensions {
		e.notify(c)
	}
	if st.waiter != nil {
		c.phase = running
		st.waiter <- c
		st.waiter = nil
	}
}

// Reusable reports whether the sandbox can take another invocation.
func (s *Sandbox) Reusable() bool {
	select {
	case <-s.failed:
		return false
	default:
		return true
	}
}

// DrainLogs hands every line written until now to Spec.Log.
func (s *Sandbox) DrainLogs() { s.logs.drain() }
