package remote

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// keepNamespaces is for how long the list of namespaces is used: it is asked for
// at every request that names one.
const keepNamespaces = 5 * time.Second

// Namespaces implements backend.Namespacer. A list that cannot be had any more
// is the last one; a provider without the route has the default namespace.
func (b *Backend) Namespaces(ctx context.Context) ([]string, error) {
	return b.namespaces.get(keepNamespaces, func(old []string) ([]string, error) {
		var names []string
		_, err := b.do(ctx, call{method: http.MethodGet, path: "/system/namespaces", receive: &names, doing: "list namespaces"})
		switch {
		case err == nil:
		case errors.Is(err, backend.ErrNotFound), errors.Is(err, backend.ErrUnsupported):
			return []string{b.opts.Namespace}, nil
		case old != nil:
			b.log.Warn("namespaces are as they were", "provider", b.base.Host, "error", err)
			return old, nil
		default:
			return nil, err
		}
		slices.Sort(names)
		if i := slices.Index(names, b.opts.Namespace); i > 0 {
			names = slices.Insert(slices.Delete(names, i, i+1), 0, b.opts.Namespace)
		}
		return names, nil
	})
}

// Namespace implements backend.NamespaceKeeper.
func (b *Backend) Namespace(ctx context.Context, name string) (types.FunctionNamespace, error) {
	var ns types.FunctionNamespace
	_, err := b.do(ctx, call{method: http.MethodGet, path: "/system/namespace/" + url.PathEscape(name), receive: &ns, doing: "read namespace " + name})
	return ns, err
}

// CreateNamespace implements backend.NamespaceKeeper.
func (b *Backend) CreateNamespace(ctx context.Context, ns types.FunctionNamespace) error {
	return asExists(b.changeNamespace(ctx, http.MethodPost, "", ns))
}

// UpdateNamespace implements backend.NamespaceKeeper.
func (b *Backend) UpdateNamespace(ctx context.Context, ns types.FunctionNamespace) error {
	return b.changeNamespace(ctx, http.MethodPut, ns.Name, ns)
}

// DeleteNamespace implements backend.NamespaceKeeper.
func (b *Backend) DeleteNamespace(ctx context.Context, name string) error {
	return b.changeNamespace(ctx, http.MethodDelete, name, types.FunctionNamespace{Name: name})
}

// changeNamespace sends a namespace as faas-cli does: a new one is named in the
// body alone.
func (b *Backend) changeNamespace(ctx context.Context, method, path string, ns types.FunctionNamespace) error {
	defer b.namespaces.forget()
	_, err := b.do(ctx, call{method: method, path: "/system/namespace/" + url.PathEscape(path), send: ns, doing: "change namespace " + ns.Name})
	return err
}

// asExists makes of a conflict what it is where something is created.
func asExists(err error) error {
	if errors.Is(err, backend.ErrConflict) {
		return backend.As(backend.ErrExists, err)
	}
	return err
}
