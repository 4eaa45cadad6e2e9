package emulator

import (
	"maps"
	"net/http"
)

// tagged runs what is to be done with the function that a tag request names, as edit does.
func (s *Server) tagged(resource string, change func(f *function) error) error {
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
	return s.edit(r, change)
}

func (s *Server) listTags(w http.ResponseWriter, _ *http.Request, resource string) error {
	tags := map[string]string{}
	err := s.tagged(resource, func(f *function) error {
		maps.Copy(tags, f.Tags)
		return errUnchanged
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
	err := s.tagged(resource, func(f *function) error {
		if len(in.Tags) == 0 {
			return invalidParameter("An error occurred and the request cannot be processed.")
		}
		if f.Tags == nil {
			f.Tags = map[string]string{}
		}
		maps.Copy(f.Tags, in.Tags)
		f.Config.RevisionId = newID() // (AWS)
		return checkTags(f.Tags)
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
	err := s.tagged(resource, func(f *function) error {
		for _, key := range keys {
			delete(f.Tags, key)
		}
		f.Config.RevisionId = newID() // (AWS)
		return nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
