package remote

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Deploy implements backend.Deployer. It does as faas-cli: a function is updated,
// and made when it is missing, because not every provider takes POST for one
// that exists. Providers may answer before the function is ready, so it waits
// until the function's status says so.
func (b *Backend) Deploy(ctx context.Context, d types.FunctionDeployment) error {
	err := b.put(ctx, http.MethodPut, d)
	if errors.Is(err, backend.ErrNotFound) {
		return b.put(ctx, http.MethodPost, d)
	}
	return err
}

// Update implements backend.Deployer.
func (b *Backend) Update(ctx context.Context, d types.FunctionDeployment) error {
	return b.put(ctx, http.MethodPut, d)
}

func (b *Backend) put(ctx context.Context, method string, d types.FunctionDeployment) error {
	name := backend.NameOf(d)
	doing := "deploy function " + name.String()
	ctx, cancel := context.WithTimeoutCause(ctx, b.opts.DeployTimeout, backend.Errorf(backend.ErrTimeout, "%s at %s: it is not ready after %s", doing, b.base.Host, b.opts.DeployTimeout))
	defer cancel()
	_, err := b.do(ctx, call{method: method, path: "/system/functions", query: in(d.Namespace), send: d, doing: doing, timeout: b.opts.DeployTimeout})
	if err != nil {
		return err
	}
	return b.wait(ctx, func() (bool, error) {
		status, err := b.Status(ctx, name)
		// One that is scaled to zero is as ready as it will be.
		return err == nil && (status.AvailableReplicas > 0 || status.Replicas == 0), err
	})
}

// Delete implements backend.Deployer. It waits until the function is gone.
func (b *Backend) Delete(ctx context.Context, name backend.Name) error {
	doing := "delete function " + name.String()
	ctx, cancel := context.WithTimeoutCause(ctx, b.opts.DeployTimeout, backend.Errorf(backend.ErrTimeout, "%s at %s: it is still there after %s", doing, b.base.Host, b.opts.DeployTimeout))
	defer cancel()
	request := types.DeleteFunctionRequest{FunctionName: name.Function, Namespace: name.Namespace}
	_, err := b.do(ctx, call{method: http.MethodDelete, path: "/system/functions", query: in(name.Namespace), send: request, doing: doing, timeout: b.opts.DeployTimeout})
	if err != nil {
		return err
	}
	return b.wait(ctx, func() (bool, error) {
		_, err := b.Status(ctx, name)
		if errors.Is(err, backend.ErrNotFound) {
			return true, nil
		}
		return false, err
	})
}

// wait asks until the answer is yes, ever more seldom, or until ctx ends.
func (b *Backend) wait(ctx context.Context, done func() (bool, error)) error {
	for interval := 25 * time.Millisecond; ; interval = min(2*interval, time.Second) {
		if yes, err := done(); yes || err != nil {
			return err
		}
		if err := pause(ctx, interval); err != nil {
			return err
		}
	}
}

// List implements backend.Reader. A namespace that is not there has no
// functions.
func (b *Backend) List(ctx context.Context, namespace string) ([]types.FunctionStatus, error) {
	functions, _, err := b.ListPartly(ctx, namespace)
	return functions, err
}

// ListPartly implements backend.Completer: a federation of ours says what its
// list lacks.
func (b *Backend) ListPartly(ctx context.Context, namespace string) ([]types.FunctionStatus, backend.Gaps, error) {
	var out []types.FunctionStatus
	header, err := b.do(ctx, call{method: http.MethodGet, path: "/system/functions", query: in(namespace), receive: &out, doing: "list functions"})
	if errors.Is(err, backend.ErrNotFound) {
		return nil, backend.Gaps{}, nil
	}
	for i := range out {
		complete(&out[i], namespace)
	}
	slices.SortFunc(out, func(a, b types.FunctionStatus) int { return strings.Compare(a.Name, b.Name) })
	gaps := backend.Gaps{Missing: map[string]string{}, Duplicates: map[string][]string{}}
	for _, value := range header.Values(backend.MissingHeader) {
		part, why, _ := strings.Cut(value, ": ")
		gaps.Missing[part] = why
	}
	for _, value := range header.Values(backend.DuplicateHeader) {
		function, parts, _ := strings.Cut(value, ": ")
		gaps.Duplicates[function] = strings.Split(parts, ", ")
	}
	return out, gaps, err
}

// Status implements backend.Reader.
func (b *Backend) Status(ctx context.Context, name backend.Name) (types.FunctionStatus, error) {
	_, status, err := b.status(ctx, name, "usage", "false")
	return status.FunctionStatus, err
}

// status is a function's, with what our own providers add to it on request.
type status struct {
	types.FunctionStatus
	Consumption *backend.Consumption `json:"consumption"`
}

func (b *Backend) status(ctx context.Context, name backend.Name, key, value string) (http.Header, status, error) {
	var out status
	query := url.Values{"namespace": {name.Namespace}, key: {value}}
	header, err := b.do(ctx, call{method: http.MethodGet, path: "/system/function/" + url.PathEscape(name.Function), query: query, receive: &out, doing: "read function " + name.String()})
	if errors.Is(err, backend.ErrNotFound) {
		return header, out, backend.NotFound(name)
	}
	complete(&out.FunctionStatus, name.Namespace)
	return header, out, err
}

// complete adds what every provider of ours says, and others may leave out.
func complete(s *types.FunctionStatus, namespace string) {
	labels, annotations := map[string]string{}, map[string]string{}
	if s.Labels != nil {
		maps.Copy(labels, *s.Labels)
	}
	if s.Annotations != nil {
		maps.Copy(annotations, *s.Annotations)
	}
	labels[backend.FunctionLabel] = s.Name
	s.Labels, s.Annotations = &labels, &annotations
	if s.Namespace == "" {
		s.Namespace = namespace
	}
}

// Scale implements backend.Scaler.
func (b *Backend) Scale(ctx context.Context, name backend.Name, replicas uint64) error {
	request := types.ScaleServiceRequest{ServiceName: name.Function, Replicas: replicas, Namespace: name.Namespace}
	_, err := b.do(ctx, call{method: http.MethodPost, path: "/system/scale-function/" + url.PathEscape(name.Function), query: in(name.Namespace), send: request, doing: "scale function " + name.String()})
	return err
}

// Usage implements backend.Meter.
func (b *Backend) Usage(ctx context.Context, name backend.Name) (types.FunctionUsage, error) {
	header, status, err := b.status(ctx, name, "usage", "1")
	switch {
	case err != nil:
		return types.FunctionUsage{}, err
	case status.Usage != nil:
		return *status.Usage, nil
	case header.Get(backend.MissingHeader) != "":
		return types.FunctionUsage{}, backend.Errorf(backend.ErrUnavailable, "%s", header.Get(backend.MissingHeader))
	}
	return types.FunctionUsage{}, backend.Errorf(backend.ErrUnsupported, "%s does not tell what functions use", b.base.Host)
}

// Consumption implements backend.Accountant, over providers of ours: OpenFaaS
// has no word for it.
func (b *Backend) Consumption(ctx context.Context, name backend.Name, since time.Time) (backend.Consumption, error) {
	header, status, err := b.status(ctx, name, backend.ConsumptionQuery, since.UTC().Format(time.RFC3339))
	switch {
	case err != nil:
		return backend.Consumption{}, err
	case status.Consumption != nil:
		return *status.Consumption, nil
	case header.Get(backend.MissingHeader) != "":
		return backend.Consumption{}, backend.Errorf(backend.ErrUnavailable, "%s", header.Get(backend.MissingHeader))
	}
	return backend.Consumption{}, backend.Errorf(backend.ErrUnsupported, "%s does not tell what functions consume", b.base.Host)
}
