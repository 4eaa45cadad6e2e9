package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// An extension is an internal one: code inside bootstrap that has registered, which is what earns a function SIGTERM before its end.
type extension struct {
	invoke bool       // wants to hear of invocations
	events chan *call // the next of them
}

func (e *extension) notify(c *call) {
	if !e.invoke {
		return
	}
	select {
	case e.events <- c:
	default: // it has not taken the last one yet
	}
}

func (st *runtimeState) hasExtension() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.extensions) > 0
}

func (s *Sandbox) register(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Events []string `json:"events"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxError)).Decode(&body); err != nil {
		reply(w, &refusal{http.StatusBadRequest, "InvalidRequestFormat", err.Error()})
		return
	}
	if r.Header.Get("Lambda-Extension-Name") == "" {
		reply(w, &refusal{http.StatusForbidden, "Extension.InvalidExtensionName", "Empty extension name"})
		return
	}
	for _, event := range body.Events {
		if event != "INVOKE" { // internal extensions cannot register for SHUTDOWN (AWS: Lambda extensions API)
			reply(w, &refusal{http.StatusForbidden, "ShutdownEventNotSupportedForInternalExtension", event + ": Event type not supported"})
			return
		}
	}
	id := newID()
	s.state.mu.Lock()
	allowed := !s.state.isReady
	if allowed {
		s.state.extensions[id] = &extension{invoke: slices.Contains(body.Events, "INVOKE"), events: make(chan *call, 1)}
	}
	s.state.mu.Unlock()
	if !allowed {
		reply(w, &refusal{http.StatusForbidden, "Extension.RegistrationClosed", "Extension registration closed"})
		return
	}
	w.Header().Set("Lambda-Extension-Identifier", id)
	f := s.spec.Function
	writeEvent(w, map[string]string{"functionName": f.Name, "functionVersion": f.Version, "handler": f.Handler})
}

func (s *Sandbox) nextEvent(w http.ResponseWriter, r *http.Request) {
	s.state.mu.Lock()
	e := s.state.extensions[r.Header.Get("Lambda-Extension-Identifier")]
	s.state.mu.Unlock()
	if e == nil {
		reply(w, &refusal{http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension"})
		return
	}
	select {
	case c := <-e.events:
		writeEvent(w, map[string]any{
			"eventType": "INVOKE", "deadlineMs": c.Deadline.UnixMilli(), "requestId": c.RequestID, "invokedFunctionArn": c.FunctionARN,
			"tracing": map[string]string{"type": "X-Amzn-Trace-Id", "value": c.TraceID},
		})
	case <-r.Context().Done():
	case <-s.state.over:
	}
}

func (s *Sandbox) extensionError(w http.ResponseWriter, _ *http.Request) { reply(w, nil) }

func writeEvent(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the extension is gone: its exit tells
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails (crypto/rand)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
