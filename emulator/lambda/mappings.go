package lambda

import (
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// mappings are the event source mappings, and what reads queues for them.
type mappings struct {
	*keep.Documents[mapping]

	pollersMu sync.Mutex         // guards pollers
	pollers   map[string]*poller // by the mapping's id
}

// States of a mapping.
const (
	mappingCreating  = "Creating"
	mappingEnabling  = "Enabling"
	mappingEnabled   = "Enabled"
	mappingDisabling = "Disabling"
	mappingDisabled  = "Disabled"
	mappingUpdating  = "Updating"
	mappingDeleting  = "Deleting"
)

// mapping is one, as it is kept.
type mapping struct {
	mappingSettings
	UUID         string
	Function     string // name
	Qualifier    string // "" for none
	State        string
	Enabled      bool
	LastModified time.Time
	Tags         map[string]string
}

func (s *Service) openMappings() error {
	kept, err := keep.OpenDocuments(filepath.Join(s.store.dir, "mappings"), func(m *mapping) string { return m.UUID })
	if err != nil {
		return err
	}
	s.mappings.Documents, s.mappings.pollers = kept, map[string]*poller{}
	return nil
}

// startMappings goes on with the mappings that the last program had.
func (s *Service) startMappings() {
	s.mappings.Lock()
	kept := slices.Collect(maps.Keys(s.mappings.All)) // what settles is changed meanwhile
	s.mappings.Unlock()
	for _, id := range kept {
		s.settleMapping(id)
	}
}

func (s *Service) createMapping(w http.ResponseWriter, r *http.Request, _ string) error {
	var in mappingRequest
	if err := readJSON(r, "CreateEventSourceMapping", &in); err != nil {
		return err
	}
	if err := in.check(true); err != nil {
		return err
	}
	q, err := s.named(*in.FunctionName, "")
	if err != nil {
		return err
	}
	m := &mapping{
		UUID: wire.NewID(), Function: q.name, Qualifier: q.qualifier, State: mappingCreating, Enabled: in.Enabled == nil || *in.Enabled,
		LastModified: time.Now(), Tags: in.Tags, mappingSettings: in.mappingSettings,
	}
	if err := s.checkSource(m); err != nil {
		return err
	}
	m.defaults()
	s.mappings.Lock()
	defer s.mappings.Unlock()
	if err := s.mappedTwice(m); err != nil {
		return err
	}
	if err := s.mappings.Put(m.UUID, m); err != nil {
		return err
	}
	writeJSON(w, http.StatusAccepted, s.mappingDocument(m))
	s.settleMapping(m.UUID)
	return nil
}

// settleMapping ends the change of a mapping in the background.
func (s *Service) settleMapping(id string) {
	s.background(func() {
		if s.beforeMapping != nil {
			s.beforeMapping()
		}
		s.stopPolling(id)
		s.mappings.Lock()
		defer s.mappings.Unlock()
		old := s.mappings.All[id]
		switch {
		case old == nil || s.ctx.Err() != nil:
			return
		case old.State == mappingDeleting:
			if err := s.mappings.Remove(id); err != nil {
				s.opts.Logger.Error("event source mapping was not removed", "mapping", id, "error", err)
			}
			return
		}
		m := *old
		m.State = mappingDisabled
		if m.Enabled {
			m.State = mappingEnabled
		}
		if err := s.mappings.Put(id, &m); err != nil {
			s.opts.Logger.Error("event source mapping was not saved", "mapping", id, "error", err)
			return
		}
		if m.Enabled {
			s.startPolling(&m)
		}
	})
}

func (s *Service) getMapping(w http.ResponseWriter, _ *http.Request, id string) error {
	s.mappings.Lock()
	defer s.mappings.Unlock()
	m := s.mappings.All[id]
	if m == nil {
		return noResource()
	}
	writeJSON(w, http.StatusOK, s.mappingDocument(m))
	return nil
}

// inUse refuses to change what is being changed.
func (m *mapping) inUse(doing string) error {
	switch m.State {
	case mappingEnabled, mappingDisabled:
		return nil
	}
	return &apiError{status: http.StatusBadRequest, code: "ResourceInUseException", message: "Cannot " + doing + " the event source mapping because it is in use."}
}

func (s *Service) updateMapping(w http.ResponseWriter, r *http.Request, id string) error {
	var in mappingRequest
	if err := readJSON(r, "UpdateEventSourceMapping", &in); err != nil {
		return err
	}
	if err := in.check(false); err != nil {
		return err
	}
	s.mappings.Lock()
	defer s.mappings.Unlock()
	old := s.mappings.All[id]
	if old == nil {
		return noResource()
	}
	if err := old.inUse("update"); err != nil {
		return err
	}
	m := *old
	m.mappingSettings.merge(in.mappingSettings)
	m.State, m.LastModified = mappingUpdating, time.Now()
	if in.FunctionName != nil {
		q, err := s.named(*in.FunctionName, "")
		if err != nil {
			return err
		}
		m.Function, m.Qualifier = q.name, q.qualifier
	}
	if in.Enabled != nil && *in.Enabled != m.Enabled {
		m.Enabled, m.State = *in.Enabled, mappingDisabling
		if m.Enabled {
			m.State = mappingEnabling
		}
	}
	if err := s.checkSource(&m); err != nil {
		return err
	}
	if err := s.mappings.Put(id, &m); err != nil {
		return err
	}
	writeJSON(w, http.StatusAccepted, s.mappingDocument(&m))
	s.settleMapping(id)
	return nil
}

func (s *Service) deleteMapping(w http.ResponseWriter, _ *http.Request, id string) error {
	s.mappings.Lock()
	defer s.mappings.Unlock()
	old := s.mappings.All[id]
	if old == nil {
		return noResource()
	}
	if err := old.inUse("delete"); err != nil {
		return err
	}
	m := *old
	m.State = mappingDeleting
	if err := s.mappings.Put(id, &m); err != nil {
		return err
	}
	writeJSON(w, http.StatusAccepted, s.mappingDocument(&m))
	s.settleMapping(id)
	return nil
}

// maxMappings is how many mappings one answer lists.
const maxMappings = 100

func (s *Service) listMappings(w http.ResponseWriter, r *http.Request, _ string) error {
	query := r.URL.Query()
	p, err := readPage(r)
	if err != nil {
		return err
	}
	p.size = maxMappings
	if n, err := strconv.Atoi(query.Get("MaxItems")); err == nil {
		p.size = min(n, maxMappings)
	}
	function := ""
	if name := query.Get("FunctionName"); name != "" {
		q, err := s.named(name, "")
		if err != nil {
			return err
		}
		if err := s.known(q); err != nil {
			return err
		}
		function = s.qualifiedARN(q.name, q.qualifier)
	}
	source := query.Get("EventSourceArn")
	s.mappings.Lock()
	defer s.mappings.Unlock()
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(s.mappings.All)) {
		m := s.mappings.All[id]
		if (function == "" || function == s.qualifiedARN(m.Function, m.Qualifier)) && (source == "" || source == m.source()) {
			ids = append(ids, id)
		}
	}
	ids, next := cut(ids, p, func(id string) string { return id })
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = s.mappingDocument(s.mappings.All[id])
	}
	writePage(w, "EventSourceMappings", list, next)
	return nil
}

// known says that there is no such function or qualifier.
func (s *Service) known(q ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.functions[q.name]; f == nil || f.find(q.qualifier) == nil {
		return s.missing(q)
	}
	return nil
}
