package sandbox

import (
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// external is an external extension: a program in /opt/extensions.
type external struct {
	id        string        // that it got when it registered
	extension *extension    // nil until it has registered
	launch    string        // why it could not be started
	told      *Failure      // what it has told of itself before its end
	ended     chan struct{} // closed when it has ended, or could not be started
}

// ExtensionState tells of an external extension what Lambda writes into the log.
type ExtensionState struct {
	Name      string
	State     string // Started, Registered, Ready, Exited or LaunchError
	Events    []string
	ErrorType string // of a LaunchError
}

// Extensions tells of the external extensions, by name.
func (s *Sandbox) Extensions() (all []ExtensionState) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.state.externals)) {
		all = append(all, s.state.externals[name].describe(name))
	}
	return all
}

func (p *external) describe(name string) ExtensionState {
	st := ExtensionState{Name: name, State: "Started"}
	if p.extension != nil {
		st.State, st.Events = "Registered", p.extension.wants
		if p.extension.asked {
			st.State = "Ready"
		}
	}
	select {
	case <-p.ended:
		st.State = "Exited"
	default:
	}
	if p.launch != "" {
		st.State, st.ErrorType = "LaunchError", "UnknownError"
		if strings.Contains(p.launch, unix.EACCES.Error()) {
			st.ErrorType = "PermissionDenied"
		}
	}
	return st
}

// expect says which external extensions there are.
func (st *runtimeState) expect(names []string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, name := range names {
		st.externals[name] = &external{ended: make(chan struct{})}
	}
}

// registeredAll tells whether every external extension has. The caller holds mu, as those of the following do.
func (st *runtimeState) registeredAll() bool {
	for _, p := range st.externals {
		if p.extension == nil {
			return false
		}
	}
	return true
}

// settle ends the initialization when the runtime and the external extensions have all asked for their first event.
func (st *runtimeState) settle() {
	if st.isReady || !st.polled || !st.registeredAll() {
		return
	}
	for _, p := range st.externals {
		if !p.extension.asked {
			return
		}
	}
	st.isReady = true
	close(st.ready)
}

// finish ends the invocation when the runtime and the external extensions have all asked for the next event.
func (st *runtimeState) finish() {
	c := st.current
	if c == nil || !c.done {
		return
	}
	for _, e := range st.extensions {
		if e.busy {
			return
		}
	}
	st.current = nil
	close(c.finished)
}

// externalEnded takes a notice of an external extension: it has ended, or could not be started. What follows is no failure once the sandbox closes.
func (st *runtimeState) externalEnded(n notice) {
	st.mu.Lock()
	defer st.mu.Unlock()
	p := st.externals[n.Extension]
	p.launch = n.Entry
	close(p.ended)
	if st.crashed != nil {
		return
	}
	switch {
	case n.Entry != "":
		st.crashed = &Failure{Kind: Extension, Type: "Extension.LaunchError", Status: n.Entry}
	case p.told != nil:
		st.crashed = p.told
	default:
		st.crashed = &Failure{Kind: Extension, Type: "Extension.Crash", Status: n.Status}
	}
}

// extensionsGrace is the time of the end where there are external extensions (AWS: Lambda extensions API, "Shutdown phase": 2 s). Of this the runtime
// has the first three tenths, as in Lambda's runtime interface emulator.
const extensionsGrace = 2 * time.Second

// Reasons of the end.
const (
	reasonSpindown = "spindown"
	reasonTimeout  = "timeout"
	reasonFailure  = "failure"
)

// shutDown ends the runtime, tells the external extensions, and waits until those that wanted to know have ended.
func (s *Sandbox) shutDown(reason string) {
	deadline := time.NewTimer(s.graces.external)
	defer deadline.Stop()
	at := time.Now().Add(s.graces.external)
	if reason == reasonSpindown {
		if s.control.send(order{Signal: unix.SIGTERM}) != nil {
			return // process 1 is gone, and all others with it
		}
		s.awaitRuntime(s.graces.external * 3 / 10)
	}
	if s.control.send(order{Signal: unix.SIGKILL}) != nil {
		return
	}
	for _, ended := range s.state.tellEnd(shutdown(reason, at)) {
		select {
		case <-ended:
		case <-s.exited:
			return
		case <-deadline.C:
			return
		}
	}
}

// awaitRuntime waits for bootstrap to end by itself.
func (s *Sandbox) awaitRuntime(longest time.Duration) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-s.runtimeEnded:
	case <-s.exited:
	case <-timer.C:
	}
}

// tellEnd tells the extensions that wanted to know, and returns what is closed when each has ended.
func (st *runtimeState) tellEnd(event any) (ends []<-chan struct{}) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, p := range st.externals {
		if p.extension != nil && p.extension.shutdown {
			p.extension.tell(event)
			ends = append(ends, p.ended)
		}
	}
	return ends
}
