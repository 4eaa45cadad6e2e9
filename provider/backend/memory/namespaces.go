package memory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Namespaces implements backend.Namespacer.
func (b *Backend) Namespaces(context.Context) ([]string, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	names := []string{b.namespace}
	for _, name := range slices.Sorted(maps.Keys(b.namespaces)) {
		if name != b.namespace {
			names = append(names, name)
		}
	}
	return names, nil
}

// Namespace implements backend.NamespaceKeeper.
func (b *Backend) Namespace(_ context.Context, name string) (types.FunctionNamespace, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	ns, ok := b.namespaces[name]
	if !ok {
		return ns, noNamespace(name)
	}
	return cloneNamespace(ns), nil
}

// CreateNamespace implements backend.NamespaceKeeper.
func (b *Backend) CreateNamespace(ctx context.Context, ns types.FunctionNamespace) error {
	return b.change(ctx, func() error {
		if _, ok := b.namespaces[ns.Name]; ok {
			return backend.Errorf(backend.ErrExists, "namespace %q already exists", ns.Name)
		}
		b.namespaces[ns.Name] = cloneNamespace(ns)
		return nil
	})
}

// UpdateNamespace implements backend.NamespaceKeeper.
func (b *Backend) UpdateNamespace(ctx context.Context, ns types.FunctionNamespace) error {
	return b.change(ctx, func() error {
		if _, ok := b.namespaces[ns.Name]; !ok {
			return noNamespace(ns.Name)
		}
		b.namespaces[ns.Name] = cloneNamespace(ns)
		return nil
	})
}

// DeleteNamespace implements backend.NamespaceKeeper. The secrets of a namespace
// go with it, its functions keep it.
func (b *Backend) DeleteNamespace(ctx context.Context, name string) error {
	return b.change(ctx, func() error {
		if _, ok := b.namespaces[name]; !ok {
			return noNamespace(name)
		}
		if name == b.namespace {
			return backend.Errorf(backend.ErrConflict, "namespace %q is the default one and stays", name)
		}
		var functions []string
		for f := range b.functions {
			if f.Namespace == name {
				functions = append(functions, f.Function)
			}
		}
		if len(functions) > 0 {
			slices.Sort(functions)
			return backend.Errorf(backend.ErrConflict, "namespace %q has functions: %s: remove them first", name, strings.Join(functions, ", "))
		}
		delete(b.namespaces, name)
		maps.DeleteFunc(b.secrets, func(k secretKey, _ []byte) bool { return k.namespace == name })
		return nil
	})
}

func noNamespace(name string) error {
	return backend.Errorf(backend.ErrNotFound, "namespace %q not found", name)
}

func cloneNamespace(ns types.FunctionNamespace) types.FunctionNamespace {
	ns.Labels, ns.Annotations = maps.Clone(ns.Labels), maps.Clone(ns.Annotations)
	return ns
}
