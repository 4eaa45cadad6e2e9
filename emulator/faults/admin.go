package faults

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// Path is where an emulator serves Admin.
const Path = "/_emulator/faults"

// maxFault bounds a fault as it comes.
const maxFault = 64 << 10

// Admin adds (POST), lists (GET) and removes (DELETE, one by its id in the path or all) faults over HTTP, as JSON. What adds or removes must say
// that it is JSON or comes from no browser: a page of any site could POST to loopback otherwise.
func (s *Set) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]any{"faults": s.List()})
	})
	mux.HandleFunc("POST "+Path, s.post)
	mux.HandleFunc("DELETE "+Path, func(w http.ResponseWriter, _ *http.Request) {
		s.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE "+Path+"/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !s.Remove(r.PathValue("id")) {
			fail(w, http.StatusNotFound, fmt.Errorf("there is no fault %s", r.PathValue("id")))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

func (s *Set) post(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, fmt.Errorf("content type %q: want application/json", r.Header.Get("Content-Type")))
		return
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxFault))
	decoder.DisallowUnknownFields()
	var f Fault
	if err := decoder.Decode(&f); err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("read fault: %w", err))
		return
	}
	id, err := s.Add(f)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	write(w, http.StatusCreated, map[string]string{"id": id})
}

// IsAdmin tells whether a request is for Admin.
func IsAdmin(r *http.Request) bool {
	return r.URL.Path == Path || strings.HasPrefix(r.URL.Path, Path+"/")
}

func fail(w http.ResponseWriter, status int, err error) {
	write(w, status, map[string]string{"message": err.Error()})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone
}
