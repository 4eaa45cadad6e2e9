package lambda

import (
	"context"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// garrison is how a version stands with its provisioned concurrency.
type garrison struct {
	ready   int
	failure string
}

// garrison tells of a version.
func (f *fleet) garrison(at post) garrison {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.squads[at]
	if q == nil {
		return garrison{}
	}
	return garrison{ready: min(q.keep, q.busy+len(q.idle)), failure: q.failure}
}

// keep sets how many sandboxes each version of a function keeps ready; versions that are not named keep none. The caller holds s.mu.
func (f *fleet) keep(name string, wanted map[string]int, versions map[string]*live) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for version, v := range versions {
		f.renew(f.squad(post{name, version}), v.ID)
	}
	for at, q := range f.squads {
		if at.name == name && q.keep != wanted[at.version] {
			q.keep, q.failure = wanted[at.version], ""
		}
	}
}

// enlist reports whether one more sandbox is to be made ready for what is live; if so the caller makes it and must call join.
func (f *fleet) enlist(at post, version *live) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.squads[at]
	if f.closed || q == nil || q.liveID != version.ID || q.failure != "" || q.members() >= q.keep {
		return false
	}
	q.booting++
	return true
}

// join takes in what enlist asked for, or why there is none.
func (f *fleet) join(at post, version *live, i *instance, failure string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.squads[at]
	q.booting--
	if failure != "" {
		q.failure = failure
	}
	f.station(q, at, version.ID, i)
}

// provisionLater brings the number of ready sandboxes of a function's versions up to their provisioned concurrency, in the background.
func (s *Service) provisionLater(name string) {
	s.background(func() { s.provision(name) })
}

func (s *Service) provision(name string) {
	s.mu.Lock()
	wanted, versions := map[string]int{}, map[string]*live{}
	if f := s.functions[name]; f != nil {
		for qualifier, a := range f.Attached {
			v := f.find(qualifier)
			if a.Provisioned == nil || v == nil || v.Live == nil || v.Config.State != stateActive {
				continue
			}
			wanted[v.Config.Version] += a.Provisioned.Requested
			versions[v.Config.Version] = v.Live
		}
	}
	s.fleet.keep(name, wanted, versions)
	s.mu.Unlock()
	for number, version := range versions {
		at := post{name, number}
		for s.fleet.enlist(at, version) {
			if !s.background(func() { s.ready(at, version) }) {
				s.fleet.join(at, version, nil, "closing")
			}
		}
	}
}

// ready makes one sandbox that waits for its first invocation.
func (s *Service) ready(at post, version *live) {
	ctx, cancel := context.WithTimeout(s.ctx, s.initTimeout)
	defer cancel()
	log := &invocationLog{journal: s.newJournal(at, version)}
	i, err := s.newInstance(ctx, at, version, log, sandbox.Provisioned)
	if err == nil {
		_, err = i.box.Boot(ctx)
		log.extensions(i.box)
		if err != nil {
			i.box.Kill()
		} else {
			i.box.DrainLogs()
			i.log.Store(nil)
			i.box.Rest()
		}
	}
	failure := ""
	if err != nil {
		s.opts.Logger.Warn("provisioned sandbox did not start", "function", at.name, "version", at.version, "error", err)
		failure = "FUNCTION_ERROR_INIT_FAILURE"
	}
	s.fleet.join(at, version, i, failure)
}
