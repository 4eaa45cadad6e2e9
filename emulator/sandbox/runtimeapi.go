package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Limits of the service, in bytes.
const (
	// MaxResponse is the largest buffered response.
	MaxResponse = 6<<20 + 100
	// maxStream is the largest streamed response.
	maxStream = 200 << 20
	// maxError is the largest error document taken.
	maxError = 1 << 20
)

// Headers of the Runtime API.
const (
	headerMode      = "Lambda-Runtime-Function-Response-Mode"
	headerErrorType = "Lambda-Runtime-Function-Error-Type"
	headerErrorBody = "Lambda-Runtime-Function-Error-Body"
)

// runtimeAPI serves the Runtime API 2018-06-01 and, for extensions, the Extensions API 2020-01-01.
func (s *Sandbox) runtimeAPI() http.Handler {
	const runtime, extensions = "/2018-06-01/runtime/", "/2020-01-01/extension/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtime+"invocation/next", s.next)
	mux.HandleFunc("POST "+runtime+"invocation/{id}/response", s.respond)
	mux.HandleFunc("POST "+runtime+"invocation/{id}/error", s.fail)
	mux.HandleFunc("POST "+runtime+"init/error", s.failInit)
	mux.HandleFunc("POST "+extensions+"register", s.register)
	mux.HandleFunc("GET "+extensions+"event/next", s.nextEvent)
	mux.HandleFunc("POST "+extensions+"init/error", s.extensionError("Extension.InitError"))
	mux.HandleFunc("POST "+extensions+"exit/error", s.extensionError("Extension.ExitError"))
	mux.HandleFunc("PUT /2020-08-15/logs", notSupported("Logs"))
	mux.HandleFunc("PUT /2022-07-01/telemetry", notSupported("Telemetry"))
	return mux
}

// A refusal is an answer of the Runtime API that is no success.
type refusal struct {
	status        int
	kind, message string
}

var (
	refuseID    = &refusal{http.StatusBadRequest, "InvalidRequestID", "Invalid request ID"}
	refuseState = &refusal{http.StatusForbidden, "InvalidStateTransition", "State transition is not allowed"}
	refuseSize  = &refusal{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge",
		"Exceeded maximum allowed payload size (" + strconv.Itoa(MaxResponse) + " bytes)."}
	refuseMode = &refusal{http.StatusBadRequest, "InvalidFunctionResponseMode", "Invalid function response mode"}
	refuseBody = &refusal{http.StatusBadRequest, "InvalidRequest", "Request body could not be read"}
)

func reply(w http.ResponseWriter, r *refusal) {
	status, body := http.StatusAccepted, map[string]string{"status": "OK"}
	if r != nil {
		status, body = r.status, map[string]string{"errorType": r.kind, "errorMessage": r.message}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the runtime is gone: its exit tells
}

// next is the runtime's long poll. Asking means that the last invocation is done.
func (s *Sandbox) next(w http.ResponseWriter, r *http.Request) {
	ch, refused := s.state.poll()
	if refused != nil {
		reply(w, refused)
		return
	}
	select {
	case c := <-ch:
		if c != nil {
			deliver(w, c)
		}
	case <-r.Context().Done():
		s.state.leave(ch)
	case <-s.state.over:
	}
}

// poll returns a channel that gets one call; nil instead means that another poll has taken its place.
func (st *runtimeState) poll() (chan *call, *refusal) {
	st.mu.Lock()
	defer st.mu.Unlock()
	ch := make(chan *call, 1)
	if c := st.current; c != nil {
		switch c.phase {
		case waiting:
			c.phase = running
			ch <- c
			return ch, nil
		case answered:
			c.done = true
			st.finish()
		default:
			return nil, refuseState
		}
	}
	st.polled = true
	st.settle()
	if st.waiter != nil {
		close(st.waiter)
	}
	st.waiter = ch
	return ch, nil
}

func (st *runtimeState) leave(ch chan *call) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.waiter == ch {
		st.waiter = nil
	}
}

func deliver(w http.ResponseWriter, c *call) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", c.RequestID)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(c.Deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", c.FunctionARN)
	for name, value := range map[string]string{
		"Lambda-Runtime-Trace-Id":         c.TraceID,
		"Lambda-Runtime-Client-Context":   c.ClientContext,
		"Lambda-Runtime-Cognito-Identity": c.CognitoIdentity,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(c.Payload)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(c.Payload) // the runtime is gone: its exit tells
}

// claim lets one request answer the current call; done must be called at its end.
func (st *runtimeState) claim(id string) (*call, *refusal) {
	st.mu.Lock()
	defer st.mu.Unlock()
	c := st.current
	if c == nil || c.RequestID != id || c.phase == waiting {
		return nil, refuseID
	}
	if c.phase != running {
		return nil, refuseState
	}
	c.phase = responding
	c.handled = make(chan struct{})
	return c, nil
}

// done ends what claim began. Without complete the connection broke in the middle, and the call has no answer.
func (st *runtimeState) done(c *call, complete bool, failure *Failure) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if complete {
		c.phase = answered
		c.failure = failure
	}
	c.stream = nil
	close(c.handled)
}

func (s *Sandbox) fail(w http.ResponseWriter, r *http.Request) {
	c, refused := s.state.claim(r.PathValue("id"))
	if refused != nil {
		reply(w, refused)
		return
	}
	failure, err := postedFailure(r)
	s.state.done(c, err == nil, failure)
	if err != nil {
		reply(w, refuseBody)
		return
	}
	reply(w, nil)
}

func postedFailure(r *http.Request) (*Failure, error) {
	payload, err := io.ReadAll(io.LimitReader(r.Body, maxError))
	if err != nil {
		return nil, err
	}
	return &Failure{Kind: Posted, Type: r.Header.Get(headerErrorType), Payload: payload}, nil
}

func (s *Sandbox) failInit(w http.ResponseWriter, r *http.Request) {
	failure, err := postedFailure(r)
	if err != nil {
		reply(w, refuseBody)
		return
	}
	s.state.mu.Lock()
	allowed := !s.state.isReady && s.state.initFailed == nil
	if allowed {
		s.state.initFailed = failure
		close(s.state.initError)
	}
	s.state.mu.Unlock()
	if !allowed {
		reply(w, refuseState)
		return
	}
	reply(w, nil)
}

func (s *Sandbox) respond(w http.ResponseWriter, r *http.Request) {
	mode := r.Header.Get(headerMode)
	if mode != "" && !strings.EqualFold(mode, "streaming") {
		reply(w, refuseMode)
		return
	}
	c, refused := s.state.claim(r.PathValue("id"))
	if refused != nil {
		reply(w, refused)
		return
	}
	if mode != "" {
		reply(w, s.stream(c, r))
		return
	}
	reply(w, s.buffer(c, r))
}
