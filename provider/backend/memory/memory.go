// Package memory is a backend without any platform: functions are kept in
// memory, and an invocation is answered with the request's own body. It serves
// those who test what talks to a provider. It runs no image.
package memory

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Backend keeps functions in memory. New makes one.
type Backend struct {
	mu        sync.RWMutex // guards functions
	functions map[backend.Name]function
}

type function struct {
	deployed types.FunctionDeployment
	created  time.Time
	replicas uint64
}

var (
	_ backend.Backend = (*Backend)(nil)
	_ backend.Scaler  = (*Backend)(nil)
)

// New returns a backend without functions.
func New() *Backend { return &Backend{functions: map[backend.Name]function{}} }

// Orchestration implements backend.Describer.
func (*Backend) Orchestration() string { return "memory" }

// Deploy implements backend.Deployer.
func (b *Backend) Deploy(_ context.Context, d types.FunctionDeployment) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(d)
	return nil
}

// put keeps d; the caller holds mu.
func (b *Backend) put(d types.FunctionDeployment) {
	created := time.Now().UTC().Truncate(time.Second)
	if f, ok := b.functions[backend.NameOf(d)]; ok {
		created = f.created
	}
	b.functions[backend.NameOf(d)] = function{deployed: clone(d), created: created, replicas: backend.MinReplicas(d)}
}

// Update implements backend.Deployer.
func (b *Backend) Update(_ context.Context, d types.FunctionDeployment) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.functions[backend.NameOf(d)]; !ok {
		return backend.NotFound(backend.NameOf(d))
	}
	b.put(d)
	return nil
}

// Delete implements backend.Deployer.
func (b *Backend) Delete(_ context.Context, name backend.Name) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.functions[name]; !ok {
		return backend.NotFound(name)
	}
	delete(b.functions, name)
	return nil
}

// Scale implements backend.Scaler.
func (b *Backend) Scale(_ context.Context, name backend.Name, replicas uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, ok := b.functions[name]
	if !ok {
		return backend.NotFound(name)
	}
	f.replicas = replicas
	b.functions[name] = f
	return nil
}

// List implements backend.Reader.
func (b *Backend) List(_ context.Context, namespace string) ([]types.FunctionStatus, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []types.FunctionStatus
	for name, f := range b.functions {
		if name.Namespace == namespace {
			out = append(out, f.status())
		}
	}
	slices.SortFunc(out, func(a, b types.FunctionStatus) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Status implements backend.Reader.
func (b *Backend) Status(_ context.Context, name backend.Name) (types.FunctionStatus, error) {
	f, err := b.find(name)
	if err != nil {
		return types.FunctionStatus{}, err
	}
	return f.status(), nil
}

// Invoke implements backend.Invoker: the answer is the request's body.
func (b *Backend) Invoke(ctx context.Context, name backend.Name, r *http.Request) (*http.Response, error) {
	if _, err := b.find(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	header := http.Header{}
	if t := r.Header.Get("Content-Type"); t != "" {
		header.Set("Content-Type", t)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(r.Body)}, nil
}

func (b *Backend) find(name backend.Name) (function, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	f, ok := b.functions[name]
	if !ok {
		return function{}, backend.NotFound(name)
	}
	return f, nil
}

func (f function) status() types.FunctionStatus {
	s := backend.StatusOf(clone(f.deployed))
	s.CreatedAt, s.Replicas, s.AvailableReplicas = f.created, f.replicas, f.replicas
	return s
}

// clone returns d with nothing that its owner could still change.
func clone(d types.FunctionDeployment) types.FunctionDeployment {
	d.EnvVars, d.Constraints, d.Secrets = maps.Clone(d.EnvVars), slices.Clone(d.Constraints), slices.Clone(d.Secrets)
	for _, m := range []**map[string]string{&d.Labels, &d.Annotations} {
		if *m != nil {
			c := maps.Clone(**m)
			*m = &c
		}
	}
	for _, r := range []**types.FunctionResources{&d.Limits, &d.Requests} {
		if *r != nil {
			c := **r
			*r = &c
		}
	}
	return d
}
