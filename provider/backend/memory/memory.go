// Package memory is a backend without any platform: the complete provider
// interface for those who test what talks to a provider. It runs no image. An
// invocation is echoed, answered from the function's annotations, or proxied to
// a URL that they name; annotations.go lists them. What was deployed can be kept
// in a file.
package memory

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Options configure a backend.
type Options struct {
	Namespace string // the default namespace, which always exists; empty means openfaas-fn
	// StateFile keeps functions, namespaces and secrets over a restart; empty
	// keeps them nowhere. It holds the values of secrets and is made readable
	// for its owner alone.
	StateFile string
}

// Backend keeps functions in memory. Open and New make one.
type Backend struct {
	namespace string
	client    *http.Client // of proxied invocations
	state     *stateFile   // nil when nothing is kept

	mu         sync.RWMutex // guards the maps, not what a *function counts
	functions  map[backend.Name]*function
	namespaces map[string]types.FunctionNamespace
	secrets    map[secretKey][]byte

	closing    context.Context // ends with Close: of invocations that nobody waits for
	close      context.CancelFunc
	background sync.WaitGroup
}

var (
	_ backend.Backend         = (*Backend)(nil)
	_ backend.Scaler          = (*Backend)(nil)
	_ backend.Namespacer      = (*Backend)(nil)
	_ backend.NamespaceKeeper = (*Backend)(nil)
	_ backend.SecretKeeper    = (*Backend)(nil)
	_ backend.Logger          = (*Backend)(nil)
	_ backend.Meter           = (*Backend)(nil)
	_ backend.Accountant      = (*Backend)(nil)
	_ backend.Describer       = (*Backend)(nil)
	_ backend.Checker         = (*Backend)(nil)
)

// New returns a backend without functions, kept nowhere.
func New() *Backend {
	b, _ := Open(context.Background(), Options{}) // without a file nothing can go wrong
	return b
}

// Open returns a backend with what its state file holds. Its background work
// ends with ctx or Close.
func Open(ctx context.Context, o Options) (*Backend, error) {
	if o.Namespace == "" {
		o.Namespace = "openfaas-fn"
	}
	b := &Backend{
		namespace: o.Namespace, functions: map[backend.Name]*function{}, secrets: map[secretKey][]byte{},
		namespaces: map[string]types.FunctionNamespace{}, client: newClient(),
	}
	if o.StateFile != "" {
		var kept state
		var err error
		if b.state, kept, err = openState(o.StateFile); err != nil {
			return nil, err
		}
		if err := b.restore(kept); err != nil {
			return nil, fmt.Errorf("read state file %s: %w", o.StateFile, err)
		}
	}
	if _, ok := b.namespaces[o.Namespace]; !ok {
		b.namespaces[o.Namespace] = types.FunctionNamespace{Name: o.Namespace}
	}
	b.closing, b.close = context.WithCancel(ctx)
	if b.state != nil {
		b.background.Go(func() { b.state.run(b.closing, b.snapshot) })
	}
	return b, nil
}

// Close ends invocations that nobody waits for, and the writing of the state
// file, which is complete then.
func (b *Backend) Close() error {
	b.close()
	b.background.Wait()
	b.client.CloseIdleConnections()
	return nil
}

// Orchestration implements backend.Describer.
func (*Backend) Orchestration() string { return "memory" }

// Check implements backend.Checker: nothing lies behind.
func (*Backend) Check(context.Context) error { return nil }

// Deploy implements backend.Deployer.
func (b *Backend) Deploy(ctx context.Context, d types.FunctionDeployment) error {
	return b.put(ctx, d, false)
}

// Update implements backend.Deployer.
func (b *Backend) Update(ctx context.Context, d types.FunctionDeployment) error {
	return b.put(ctx, d, true)
}

// put keeps d; when mustExist, in the place of one that is there.
func (b *Backend) put(ctx context.Context, d types.FunctionDeployment, mustExist bool) error {
	behaviour, err := behaviourOf(d)
	if err != nil {
		return err
	}
	name := backend.NameOf(d)
	return b.change(ctx, func() error {
		old, exists := b.functions[name]
		if mustExist && !exists {
			return backend.NotFound(name)
		}
		if _, ok := b.namespaces[d.Namespace]; !ok {
			return backend.Errorf(backend.ErrInvalid, "deploy function %s: namespace %q not found", d.Service, d.Namespace)
		}
		for _, secret := range d.Secrets {
			if _, ok := b.secrets[secretKey{d.Namespace, secret}]; !ok {
				return backend.Errorf(backend.ErrInvalid, "deploy function %s: secret %q not found in namespace %s", d.Service, secret, d.Namespace)
			}
		}
		f := &function{deployed: clone(d), behaviour: behaviour, created: time.Now().UTC().Truncate(time.Second), replicas: backend.MinReplicas(d), log: newLog(name), use: &use{}}
		if exists {
			f.created, f.log, f.use = old.created, old.log, old.use
		}
		b.functions[name] = f
		return nil
	})
}

// Delete implements backend.Deployer.
func (b *Backend) Delete(ctx context.Context, name backend.Name) error {
	return b.change(ctx, func() error {
		f, ok := b.functions[name]
		if !ok {
			return backend.NotFound(name)
		}
		delete(b.functions, name)
		f.log.close()
		return nil
	})
}

// Scale implements backend.Scaler.
func (b *Backend) Scale(ctx context.Context, name backend.Name, replicas uint64) error {
	return b.change(ctx, func() error {
		old, ok := b.functions[name]
		if !ok {
			return backend.NotFound(name)
		}
		f := *old
		f.replicas = replicas
		b.functions[name] = &f
		return nil
	})
}

// change runs do, which may change the maps, and returns when the state file
// holds what it did.
func (b *Backend) change(ctx context.Context, do func() error) error {
	b.mu.Lock()
	err := do()
	b.mu.Unlock()
	if err != nil || b.state == nil {
		return err
	}
	return b.state.save(ctx)
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

func (b *Backend) find(name backend.Name) (*function, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	f, ok := b.functions[name]
	if !ok {
		return nil, backend.NotFound(name)
	}
	return f, nil
}
