package api

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

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
	functions, err := s.listPartly(w, r, name.Namespace)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if functions == nil {
		functions = []types.FunctionStatus{} // clients want [], not null
	}
	s.writeJSON(w, r, functions)
}

// listPartly lists, and says in headers what the list lacks.
func (s *server) listPartly(w http.ResponseWriter, r *http.Request, namespace string) ([]types.FunctionStatus, error) {
	b, ok := s.backend.(backend.Completer)
	if !ok {
		return s.backend.List(r.Context(), namespace)
	}
	functions, gaps, err := b.ListPartly(r.Context(), namespace)
	for _, part := range slices.Sorted(maps.Keys(gaps.Missing)) {
		w.Header().Add(backend.MissingHeader, part+": "+oneLine(gaps.Missing[part]))
	}
	for _, function := range slices.Sorted(maps.Keys(gaps.Duplicates)) {
		w.Header().Add(backend.DuplicateHeader, function+": "+strings.Join(gaps.Duplicates[function], ", "))
	}
	return functions, err
}

// oneLine makes s fit for a header's value.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
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
	out := functionStatus{FunctionStatus: function}
	if err := s.addUse(w, r, name, &out); err != nil {
		s.fail(w, r, err)
		return
	}
	s.writeJSON(w, r, out)
}

// functionStatus is faas-provider's, with what a function consumed when that is
// asked for.
type functionStatus struct {
	types.FunctionStatus
	Consumption *backend.Consumption `json:"consumption,omitempty"`
}

// addUse adds what the query asks for. The rest of the status is right without
// it, so that what cannot be had is told in a header.
func (s *server) addUse(w http.ResponseWriter, r *http.Request, name backend.Name, out *functionStatus) error {
	missing := func(what string, err error) { w.Header().Add(backend.MissingHeader, what+": "+oneLine(err.Error())) }
	query := r.URL.Query()
	// faas-cli writes usage=1, the gateway usage=false.
	if wanted, _ := strconv.ParseBool(query.Get("usage")); wanted {
		if meter, ok := s.backend.(backend.Meter); ok {
			if usage, err := meter.Usage(r.Context(), name); err == nil {
				out.Usage = &usage
			} else if !errors.Is(err, backend.ErrUnsupported) {
				missing("usage", err)
			}
		}
	}
	since := query.Get(backend.ConsumptionQuery)
	if since == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, since)
	if err != nil {
		return backend.Errorf(backend.ErrInvalid, "%s=%s: want a time such as 2006-01-02T15:04:05Z", backend.ConsumptionQuery, since)
	}
	if accountant, ok := s.backend.(backend.Accountant); ok {
		if consumption, err := accountant.Consumption(r.Context(), name, at); err == nil {
			out.Consumption = &consumption
		} else if !errors.Is(err, backend.ErrUnsupported) {
			missing("consumption", err)
		}
	}
	return nil
}

func (s *server) deploy(w http.ResponseWriter, r *http.Request) { s.put(w, r, s.backend.Deploy) }
func (s *server) update(w http.ResponseWriter, r *http.Request) { s.put(w, r, s.backend.Update) }

// lasting is the context of a change that goes on when its client goes, and ends
// with the program.
func (s *server) lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if s.opts.Ending != nil {
		go func() {
			defer cancel()
			select {
			case <-s.opts.Ending:
			case <-ctx.Done():
			}
		}()
	}
	return ctx, cancel
}

// put decodes and checks a deployment, and hands it to Deploy or Update. Once
// begun it goes on to its end, whether or not the client waits: faas-cli waits
// for a minute, and a large image takes longer.
func (s *server) put(w http.ResponseWriter, r *http.Request, do func(context.Context, types.FunctionDeployment) error) {
	d, err := s.deployment(w, r)
	if err == nil {
		ctx, cancel := s.lasting(r.Context())
		defer cancel()
		err = do(ctx, d)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.log.Info("deployed", "function", d.Service, "namespace", d.Namespace, "image", d.Image, "call", w.Header().Get(callHeader))
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
	var name backend.Name
	if err == nil {
		err = s.act(r, request.FunctionName, request.Namespace, func(ctx context.Context, n backend.Name) error {
			name = n
			// Once begun it goes on to its end, as a deployment does.
			ctx, cancel := s.lasting(ctx)
			defer cancel()
			return s.backend.Delete(ctx, n)
		})
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.functions.forget(name)
	s.log.Info("deleted", "function", name.Function, "namespace", name.Namespace, "call", w.Header().Get(callHeader))
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
