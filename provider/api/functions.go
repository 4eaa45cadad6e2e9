package api

import (
	"context"
	"net/http"
	"regexp"

	"github.com/gorilla/mux"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// service is what a function's name may look like: the expression that the
// routes use, as a whole.
var service = regexp.MustCompile(`^[-a-zA-Z_0-9.]+$`)

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	name, err := s.resolve(r.Context(), "", r.URL.Query().Get("namespace"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	functions, err := s.backend.List(r.Context(), name.Namespace)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if functions == nil {
		functions = []types.FunctionStatus{} // clients want [], not null
	}
	s.writeJSON(w, r, functions)
}

func (s *server) status(w http.ResponseWriter, r *http.Request) {
	name, err := s.resolve(r.Context(), mux.Vars(r)["name"], r.URL.Query().Get("namespace"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	function, err := s.backend.Status(r.Context(), name)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.writeJSON(w, r, function)
}

func (s *server) deploy(w http.ResponseWriter, r *http.Request) { s.put(w, r, s.backend.Deploy) }
func (s *server) update(w http.ResponseWriter, r *http.Request) { s.put(w, r, s.backend.Update) }

// put decodes and checks a deployment, and hands it to Deploy or Update. Once
// begun it goes on to its end, whether or not the client waits: faas-cli waits
// for a minute, and a large image takes longer.
func (s *server) put(w http.ResponseWriter, r *http.Request, do func(context.Context, types.FunctionDeployment) error) {
	d, err := s.deployment(w, r)
	if err == nil {
		err = do(context.WithoutCancel(r.Context()), d)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.log.Info("deployed", "function", d.Service, "namespace", d.Namespace, "image", d.Image)
	w.WriteHeader(http.StatusAccepted)
}

func (s *server) deployment(w http.ResponseWriter, r *http.Request) (types.FunctionDeployment, error) {
	var d types.FunctionDeployment
	if err := s.readJSON(w, r, &d); err != nil {
		return d, err
	}
	switch {
	case d.Service == "":
		return d, backend.Errorf(backend.ErrInvalid, "service, the name of the function, is missing")
	case !service.MatchString(d.Service):
		return d, backend.Errorf(backend.ErrInvalid, "service %q: a function's name is made of letters, digits, -, _ and .", d.Service)
	case d.Image == "":
		return d, backend.Errorf(backend.ErrInvalid, "image of function %s is missing", d.Service)
	}
	namespace, err := either(d.Namespace, r.URL.Query().Get("namespace"))
	if err != nil {
		return d, err
	}
	// Only the namespace is settled here: what is deployed has a plain name.
	name, err := s.resolve(r.Context(), "", namespace)
	if err != nil {
		// A 404 would make faas-cli believe that the function is missing.
		return d, backend.Errorf(backend.ErrInvalid, "deploy function %s: namespace %q not found", d.Service, namespace)
	}
	d.Namespace = name.Namespace
	return d, nil
}

func (s *server) delete(w http.ResponseWriter, r *http.Request) {
	var request types.DeleteFunctionRequest
	err := s.readJSON(w, r, &request)
	if err == nil && request.FunctionName == "" {
		err = backend.Errorf(backend.ErrInvalid, "functionName is missing")
	}
	if err == nil {
		err = s.act(r, request.FunctionName, request.Namespace, s.backend.Delete)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.log.Info("deleted", "function", request.FunctionName)
	w.WriteHeader(http.StatusAccepted)
}

func (s *server) scale(w http.ResponseWriter, r *http.Request) {
	scaler, ok := s.backend.(backend.Scaler)
	if !ok {
		s.lacks("scaling is not supported by this provider")(w, r)
		return
	}
	var request struct {
		Replicas  *uint64 `json:"replicas"`
		Namespace string  `json:"namespace"`
	}
	err := s.readJSON(w, r, &request)
	if err == nil && request.Replicas == nil {
		err = backend.Errorf(backend.ErrInvalid, "replicas is missing")
	}
	if err == nil {
		err = s.act(r, mux.Vars(r)["name"], request.Namespace, func(ctx context.Context, name backend.Name) error {
			return scaler.Scale(ctx, name, *request.Replicas)
		})
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// act resolves which function is meant and does something with it.
func (s *server) act(r *http.Request, raw, namespace string, do func(context.Context, backend.Name) error) error {
	namespace, err := either(namespace, r.URL.Query().Get("namespace"))
	if err != nil {
		return err
	}
	name, err := s.resolve(r.Context(), raw, namespace)
	if err != nil {
		return err
	}
	return do(r.Context(), name)
}
