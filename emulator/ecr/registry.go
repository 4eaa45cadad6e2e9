package ecr

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// Registry answers the distribution API without asking for credentials.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md
func (s *Store) Registry() http.Handler { return http.HandlerFunc(s.serveRegistry) }

// Guarded answers it to those who log in with what GetAuthorizationToken gave.
func (s *Store) Guarded() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p, ok := login(r); !ok || p.Expires < s.opts.Now().Unix() {
			w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
			w.Header().Set("Www-Authenticate", fmt.Sprintf(`Basic realm="https://%s/",service="ecr.amazonaws.com"`, r.Host))
			http.Error(w, "Not Authorized", http.StatusUnauthorized)
			return
		}
		s.serveRegistry(w, r)
	})
}

// refusal is an error answer of the distribution API.
type refusal struct {
	status  int
	code    string
	message string
}

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

func (s *Store) serveRegistry(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if err := s.route(w, r); err != nil {
		writeRefusal(w, err)
	}
}

// Refuse answers a request of the registry with an error that it has not made itself.
func Refuse(w http.ResponseWriter, status int, code, message string) {
	writeRefusal(w, &refusal{status, code, message})
}

func writeRefusal(w http.ResponseWriter, err error) {
	known := &refusal{http.StatusInternalServerError, "UNKNOWN", err.Error()}
	var absent *wire.Error
	if errors.As(err, &absent) { // of a repository that is not there
		known = &refusal{http.StatusNotFound, "NAME_UNKNOWN", absent.Message}
	}
	errors.As(err, &known)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(known.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": known.code, "message": known.message}}}) // the client is gone
}

func (s *Store) route(w http.ResponseWriter, r *http.Request) error {
	if strings.TrimSuffix(r.URL.Path, "/") == "/v2" {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	name, kind, reference, ok := parsePath(r.URL.Path)
	if !ok {
		return refuse(http.StatusNotFound, "NAME_INVALID", "there is nothing at %s", r.URL.Path)
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case kind == "uploads":
		return s.serveUpload(w, r, name, reference)
	case kind == "blobs" && read:
		return s.getBlob(w, r, name, reference)
	case kind == "manifests" && read:
		return s.getManifest(w, r, name, reference)
	case kind == "manifests" && r.Method == http.MethodPut:
		return s.putManifest(w, r, name, reference)
	case kind == "tags" && read:
		return s.getTags(w, r, name)
	case kind == "referrers" && read:
		return s.getReferrers(w, name, reference)
	}
	return refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
}

// parsePath reads /v2/NAME/KIND/REFERENCE, where uploads stand below blobs.
func parsePath(path string) (name, kind, reference string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return "", "", "", false
	}
	for kind, infix := range map[string]string{"uploads": "/blobs/uploads", "tags": "/tags/list"} {
		if at := strings.LastIndex(rest, infix); at > 0 {
			tail := rest[at+len(infix):]
			if tail == "" || tail[0] == '/' && !strings.Contains(tail[1:], "/") {
				return rest[:at], kind, strings.TrimPrefix(tail, "/"), validName(rest[:at])
			}
		}
	}
	parts := strings.Split(rest, "/")
	if len(parts) < 3 {
		return "", "", "", false
	}
	name, kind, reference = strings.Join(parts[:len(parts)-2], "/"), parts[len(parts)-2], parts[len(parts)-1]
	switch kind {
	case "blobs", "referrers":
		ok = validDigest(reference)
	case "manifests":
		ok = validDigest(reference) || tagForm.MatchString(reference)
	default:
		ok = false
	}
	return name, kind, reference, ok && validName(name)
}

func (s *Store) getTags(w http.ResponseWriter, r *http.Request, name string) error {
	query := r.URL.Query()
	var tags []string
	err := s.view(name, func(r *repository) error {
		tags = slices.Sorted(maps.Keys(r.Tags))
		return nil
	})
	if err != nil {
		return err
	}
	if last := query.Get("last"); last != "" {
		at, found := slices.BinarySearch(tags, last)
		if found {
			at++
		}
		tags = tags[at:]
	}
	if text := query.Get("n"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return refuse(http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "n=%s is no number of tags", text)
		}
		if len(tags) > n {
			tags = tags[:n]
			w.Header().Set("Link", fmt.Sprintf(`</v2/%s/tags/list?n=%d&last=%s>; rel="next"`, name, n, url.QueryEscape(tags[n-1])))
		}
	}
	if tags == nil {
		tags = []string{}
	}
	writeDocument(w, "application/json", map[string]any{"name": name, "tags": tags})
	return nil
}

func writeDocument(w http.ResponseWriter, contentType string, document any) {
	w.Header().Set("Content-Type", contentType)
	_ = json.NewEncoder(w).Encode(document) // the client is gone
}
