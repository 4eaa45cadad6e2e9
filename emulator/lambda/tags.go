package lambda

import (
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// tagged changes the tags of what a request names: a function or an event source mapping. errUnchanged leaves them as they are.
func (s *Service) tagged(resource string, change func(tags map[string]string) error) error {
	var c constraints
	c.pattern("resource", resource, resourceRegexp, resourcePattern)
	if err := c.err(); err != nil {
		return err
	}
	if strings.Contains(resource, ":event-source-mapping:") {
		return s.taggedMapping(resource, change)
	}
	if strings.Contains(resource, ":capacity-provider:") { // there are none
		return notFound("Capacity provider not found: %s", resource)
	}
	r, ok := parseRef(resource, nameRegexp)
	if !ok {
		return notFound("Resource not found: %s", resource)
	}
	if err := s.reachable(r); err != nil {
		return err
	}
	if r.qualifier != "" {
		return invalidParameter("Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	return s.edit(r, func(f *function) error {
		if f.Tags == nil {
			f.Tags = map[string]string{}
		}
		if err := change(f.Tags); err != nil {
			return err
		}
		f.Config.RevisionId = wire.NewID() // (AWS)
		return nil
	})
}

func (s *Service) taggedMapping(resource string, change func(tags map[string]string) error) error {
	s.mappings.Lock()
	defer s.mappings.Unlock()
	old := s.mappings.All[resource[strings.LastIndexByte(resource, ':')+1:]]
	if old == nil || resource != s.mappingARN(old.UUID) {
		return notFound("Event source mapping not found: %s", resource)
	}
	m := *old
	if m.Tags = maps.Clone(old.Tags); m.Tags == nil {
		m.Tags = map[string]string{}
	}
	if err := change(m.Tags); err != nil {
		if errors.Is(err, errUnchanged) {
			return nil
		}
		return err
	}
	return s.mappings.Put(m.UUID, &m)
}

func (s *Service) listTags(w http.ResponseWriter, _ *http.Request, resource string) error {
	all := map[string]string{}
	err := s.tagged(resource, func(tags map[string]string) error {
		maps.Copy(all, tags)
		return errUnchanged
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"Tags": all})
	return nil
}

func (s *Service) tagResource(w http.ResponseWriter, r *http.Request, resource string) error {
	var in struct{ Tags map[string]string }
	if err := readJSON(r, "TagResource", &in); err != nil {
		return err
	}
	err := s.tagged(resource, func(tags map[string]string) error {
		if len(in.Tags) == 0 {
			return invalidParameter("An error occurred and the request cannot be processed.")
		}
		maps.Copy(tags, in.Tags)
		return checkTags(tags)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) untagResource(w http.ResponseWriter, r *http.Request, resource string) error {
	keys := r.URL.Query()["tagKeys"]
	var c constraints
	c.required("tagKeys", len(keys) > 0)
	if err := c.err(); err != nil {
		return err
	}
	err := s.tagged(resource, func(tags map[string]string) error {
		for _, key := range keys {
			delete(tags, key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
