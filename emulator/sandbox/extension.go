package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// maxExtensions is how many extensions a function may register (AWS: Lambda quotas).
const maxExtensions = 10

// An extension is one that has registered: an external one, with a program of its own, or an internal one, code inside bootstrap.
type extension struct {
	external bool
	invoke   bool     // wants to hear of invocations
	shutdown bool     // wants to hear of the end
	wants    []string // both, as it said
	asked    bool     // has asked for an event: its initialization is done
	busy     bool     // has an invocation that it is not done with
	events   chan any // the next of them
}

// tell gives an extension an event, unless it has not taken the last one yet.
func (e *extension) tell(event any) {
	select {
	case e.events <- event:
	default:
	}
}

// notify tells an extension of an invocation.
func (e *extension) notify(c *call) {
	if !e.invoke {
		return
	}
	e.busy = e.external
	e.tell(map[string]any{
		"eventType": "INVOKE", "deadlineMs": c.Deadline.UnixMilli(), "requestId": c.RequestID, "invokedFunctionArn": c.FunctionARN,
		"tracing": map[string]string{"type": "X-Amzn-Trace-Id", "value": c.TraceID},
	})
}

func (st *runtimeState) hasExtension() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.extensions) > 0
}

// registration is what an extension asks for.
type registration struct {
	name   string
	Events []string `json:"events"`
}

func (s *Sandbox) register(w http.ResponseWriter, r *http.Request) {
	in := registration{name: r.Header.Get("Lambda-Extension-Name")}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxError)).Decode(&in); err != nil {
		reply(w, &refusal{http.StatusBadRequest, "InvalidRequestFormat", err.Error()})
		return
	}
	if in.name == "" {
		reply(w, &refusal{http.StatusForbidden, "Extension.InvalidExtensionName", "Empty extension name"})
		return
	}
	id, refused := s.state.register(in)
	if refused != nil {
		reply(w, refused)
		return
	}
	w.Header().Set("Lambda-Extension-Identifier", id)
	f := s.spec.Function
	writeEvent(w, map[string]string{"functionName": f.Name, "functionVersion": f.Version, "handler": f.Handler})
}

// register takes an extension in. Whose name is that of a program is that external extension, all others are internal.
func (st *runtimeState) register(in registration) (id string, refused *refusal) {
	st.mu.Lock()
	defer st.mu.Unlock()
	p := st.externals[in.name]
	for _, event := range in.Events {
		switch {
		case event == "INVOKE", event == "SHUTDOWN" && p != nil:
		case event == "SHUTDOWN": // internal extensions cannot register for it (AWS: Lambda extensions API)
			return "", &refusal{http.StatusForbidden, "ShutdownEventNotSupportedForInternalExtension", event + ": Event type not supported"}
		default:
			return "", &refusal{http.StatusForbidden, "Extension.InvalidEventType", event + ": No such event type"}
		}
	}
	if st.isReady || len(st.extensions) >= maxExtensions || p != nil && p.extension != nil {
		return "", &refusal{http.StatusForbidden, "Extension.RegistrationClosed", "Extension registration closed"}
	}
	id = newID()
	e := &extension{
		external: p != nil, invoke: slices.Contains(in.Events, "INVOKE"), shutdown: slices.Contains(in.Events, "SHUTDOWN"), wants: in.Events,
		events: make(chan any, 1),
	}
	st.extensions[id] = e
	if p != nil {
		p.extension, p.id = e, id
		if st.registeredAll() {
			close(st.registered)
		}
	}
	return id, nil
}

// nextEvent is an extension's long poll. Asking means that it is done with the last event.
func (s *Sandbox) nextEvent(w http.ResponseWriter, r *http.Request) {
	s.state.mu.Lock()
	e := s.state.extensions[r.Header.Get("Lambda-Extension-Identifier")]
	if e != nil {
		if len(e.events) == 0 { // what it has not taken yet it is not done with
			e.busy = false
		}
		e.asked = true
		s.state.finish()
		s.state.settle()
	}
	s.state.mu.Unlock()
	if e == nil {
		reply(w, &refusal{http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension"})
		return
	}
	select {
	case event := <-e.events:
		writeEvent(w, event)
	case <-r.Context().Done():
	case <-s.state.over:
	}
}

// extensionError is for errors that an extension tells before it ends: kind is what they are to the function.
func (s *Sandbox) extensionError(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(io.LimitReader(r.Body, maxError))
		if err != nil {
			reply(w, refuseBody)
			return
		}
		var said struct {
			ErrorMessage string `json:"errorMessage"`
		}
		text := r.Header.Get("Lambda-Extension-Function-Error-Type")
		if json.Unmarshal(data, &said) == nil && said.ErrorMessage != "" {
			text = said.ErrorMessage
		}
		s.state.mu.Lock()
		for _, p := range s.state.externals {
			if p.id != "" && p.id == r.Header.Get("Lambda-Extension-Identifier") {
				p.told = &Failure{Kind: Extension, Type: kind, Status: text}
			}
		}
		s.state.mu.Unlock()
		reply(w, nil)
	}
}

// notSupported answers for the APIs that Lambda has for extensions and this has not, as Lambda's runtime interface emulator does.
func notSupported(api string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(map[string]string{"errorType": api + ".NotSupported", "errorMessage": api + " API is not supported"})
	}
}

// shutdown is the event of the end.
func shutdown(reason string, deadline time.Time) any {
	return map[string]any{"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline.UnixMilli()}
}

func writeEvent(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the extension is gone: its exit tells
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails (crypto/rand)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
