package api

import (
	"context"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// resolve finds out which function a request means. raw is name or
// name.namespace; namespace comes from a body or a query and may be empty.
//
// A dotted name is legal, so raw is split at its last dot only when what
// follows is a namespace that exists.
func (s *server) resolve(ctx context.Context, raw, namespace string) (backend.Name, error) {
	if namespace == "" && !strings.Contains(raw, ".") {
		return backend.Name{Namespace: s.opts.Namespace, Function: raw}, nil
	}
	known, err := s.namespaces(ctx)
	if err != nil {
		return backend.Name{}, err
	}
	if namespace != "" && !slices.Contains(known, namespace) {
		return backend.Name{}, backend.Errorf(backend.ErrNotFound, "namespace %q not found", namespace)
	}
	return split(raw, namespace, s.opts.Namespace, known), nil
}

// split is resolve when all is known: namespace is empty or one of known.
func split(raw, namespace, fallback string, known []string) backend.Name {
	if i := strings.LastIndexByte(raw, '.'); i > 0 {
		suffix := raw[i+1:]
		if slices.Contains(known, suffix) && (namespace == "" || namespace == suffix) {
			return backend.Name{Namespace: suffix, Function: raw[:i]}
		}
	}
	if namespace == "" {
		namespace = fallback
	}
	return backend.Name{Namespace: namespace, Function: raw}
}

// either returns the namespace of a request that may be named in its body, as
// current clients do, or in its query, as older ones and the gateway's scaler
// do.
func either(body, query string) (string, error) {
	if body != "" && query != "" && body != query {
		return "", backend.Errorf(backend.ErrInvalid, "namespace is %q in the body and %q in the query", body, query)
	}
	if body == "" {
		return query, nil
	}
	return body, nil
}
