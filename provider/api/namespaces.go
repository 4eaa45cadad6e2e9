package api

import (
	"context"
	"net/http"
	"regexp"
	"slices"

	"github.com/gorilla/mux"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// label is what a namespace may be called: a DNS label, as on Kubernetes.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// namespaces returns every namespace there is, the default one first.
func (s *server) namespaces(ctx context.Context) ([]string, error) {
	if b, ok := s.backend.(backend.Namespacer); ok {
		return b.Namespaces(ctx)
	}
	return []string{s.opts.Namespace}, nil
}

func (s *server) listNamespaces(w http.ResponseWriter, r *http.Request) {
	namespaces, err := s.namespaces(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if namespaces == nil {
		namespaces = []string{}
	}
	s.writeJSON(w, r, namespaces)
}

// namespace reads or changes one namespace. faas-cli creates by
// POST /system/namespace/ with the name in the body, and names it in the path
// otherwise.
func (s *server) namespace(w http.ResponseWriter, r *http.Request) {
	keeper, ok := s.backend.(backend.NamespaceKeeper)
	if !ok {
		s.fixedNamespace(w, r)
		return
	}
	if r.Method == http.MethodGet {
		ns, err := keeper.Namespace(r.Context(), mux.Vars(r)["name"])
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.writeJSON(w, r, ns)
		return
	}
	ns, err := s.namespaceOf(w, r)
	code := http.StatusAccepted
	if err == nil {
		switch ctx := context.WithoutCancel(r.Context()); r.Method {
		case http.MethodPost:
			code, err = http.StatusCreated, keeper.CreateNamespace(ctx, ns)
		case http.MethodPut:
			err = keeper.UpdateNamespace(ctx, ns)
		default:
			err = keeper.DeleteNamespace(ctx, ns.Name)
		}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.log.Info("changed namespace", "method", r.Method, "namespace", ns.Name, "call", w.Header().Get(callHeader))
	w.WriteHeader(code)
}

// namespaceOf decodes the namespace that a request is about. To remove one,
// its name in the path is enough.
func (s *server) namespaceOf(w http.ResponseWriter, r *http.Request) (types.FunctionNamespace, error) {
	var ns types.FunctionNamespace
	path := mux.Vars(r)["name"]
	if r.Method != http.MethodDelete || r.ContentLength != 0 {
		if err := s.readJSON(w, r, &ns); err != nil {
			return ns, err
		}
	}
	switch {
	case ns.Name == "":
		ns.Name = path
	case path != "" && path != ns.Name:
		return ns, backend.Errorf(backend.ErrInvalid, "namespace is %q in the body and %q in the path", ns.Name, path)
	}
	if ns.Name == "" {
		return ns, backend.Errorf(backend.ErrInvalid, "the namespace's name is missing")
	}
	if !label.MatchString(ns.Name) {
		return ns, backend.Errorf(backend.ErrInvalid, "namespace %q: want lower case letters, digits and -, at most 63", ns.Name)
	}
	return ns, nil
}

// fixedNamespace answers for a backend whose namespaces nobody can change.
func (s *server) fixedNamespace(w http.ResponseWriter, r *http.Request) {
	name := mux.Vars(r)["name"]
	if r.Method != http.MethodGet {
		s.lacks("changing namespaces is not supported by this provider")(w, r)
		return
	}
	known, err := s.namespaces(r.Context())
	if err == nil && !slices.Contains(known, name) {
		err = backend.Errorf(backend.ErrNotFound, "namespace %q not found", name)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.writeJSON(w, r, types.FunctionNamespace{Name: name})
}
