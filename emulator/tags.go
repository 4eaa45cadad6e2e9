package emulator

import (
	"maps"
	"net/http"
)

// tagged runs what is to be done with the function that a tag request names. The caller's f is a copy that is saved if change says so.
func (s *Server) tagged(resource string, change func(f *function) (save bool, err error)) error {
	var c constraints
	c.pattern("resource", resource, resourceRegexp, resourcePattern)
	if err := c.err(); err != nil {
		return err
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
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[r.name]
	if f == nil {
		return s.missing(r)
	}
	changed := *f
	changed.Tags = maps.Clone(f.Tags)
	save, err := change(&changed)
	if err != nil || !save {
		return err
	}
	if err := s.store.save(&changed); err != nil {
		return err
	}
	*f = changed
	return nil
}

func (s *Server) listTags(w http.ResponseWriter, _ *http.Request, resource string) error {
	tags := map[string]string{}
	err := s.tagged(resource, func(f *function) (bool, error) {
		maps.Copy(tags, f.Tags)
		return false, nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"Tags": tags})
	return nil
}

func (s *Server) tagResource(w http.ResponseWriter, r *http.Request, resource string) error {
	var in struct{ Tags map[string]string }
	if err := readJSON(r, "TagResource", &in); err != nil {
		return err
	}
	err := s.tagged(resource, func(f *function) (bool, error) {
		if len(in.Tags) == 0 {
			return false, invalidParameter("An error occurred and the request cannot be processed.")
		}
		if f.Tags == nil {
			f.Tags = map[string]string{}
		}
		maps.Copy(f.Tags, in.Tags)
		return true, checkTags(f.Tags)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) untagResource(w http.ResponseWriter, r *http.Request, resource string) error {
	keys := r.URL.Query()["tagKeys"]
	var c constraints
	c.required("tagKeys", len(keys) > 0)
	if err := c.err(); err != nil {
		return err
	}
	err := s.tagged(resource, func(f *function) (bool, error) {
		for _, key := range keys {
			delete(f.Tags, key)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
