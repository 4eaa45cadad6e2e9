package federation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Namespaces implements backend.Namespacer: those of all children.
func (b *Backend) Namespaces(context.Context) ([]string, error) {
	return b.index.view.Load().namespaces, nil
}

// Namespace implements backend.NamespaceKeeper: as the first child says that has
// it.
func (b *Backend) Namespace(ctx context.Context, name string) (types.FunctionNamespace, error) {
	answers := ask(ctx, b, func(ctx context.Context, c *child) (types.FunctionNamespace, error) {
		if keeper, ok := c.Backend.(backend.NamespaceKeeper); ok {
			return keeper.Namespace(ctx, name)
		}
		return types.FunctionNamespace{}, lacks(c, "namespaces")
	})
	for _, a := range answers {
		if a.err == nil {
			return a.value, nil
		}
	}
	return types.FunctionNamespace{}, summary("read namespace "+name, answers)
}

// CreateNamespace implements backend.NamespaceKeeper, at every child that can:
// those that have it already keep theirs.
func (b *Backend) CreateNamespace(ctx context.Context, ns types.FunctionNamespace) error {
	return b.everywhere(ctx, "create namespace "+ns.Name, backend.ErrExists, func(ctx context.Context, keeper backend.NamespaceKeeper) error {
		return keeper.CreateNamespace(ctx, ns)
	})
}

// UpdateNamespace implements backend.NamespaceKeeper.
func (b *Backend) UpdateNamespace(ctx context.Context, ns types.FunctionNamespace) error {
	return b.everywhere(ctx, "update namespace "+ns.Name, backend.ErrNotFound, func(ctx context.Context, keeper backend.NamespaceKeeper) error {
		return keeper.UpdateNamespace(ctx, ns)
	})
}

// DeleteNamespace implements backend.NamespaceKeeper. While a child has functions
// in it, it stays everywhere.
func (b *Backend) DeleteNamespace(ctx context.Context, name string) error {
	if name == b.opts.Namespace {
		return backend.Errorf(backend.ErrConflict, "namespace %q is the default one and stays", name)
	}
	for _, a := range ask(ctx, b, func(ctx context.Context, c *child) ([]types.FunctionStatus, error) { return c.Backend.List(ctx, name) }) {
		if a.err != nil && !errors.Is(a.err, backend.ErrNotFound) {
			return fmt.Errorf("delete namespace %s: list functions of %s: %w", name, a.child.name, a.err)
		}
		if len(a.value) > 0 {
			return backend.Errorf(backend.ErrConflict, "namespace %q has functions at %s, such as %s: remove them first", name, a.child.name, a.value[0].Name)
		}
	}
	return b.everywhere(ctx, "delete namespace "+name, backend.ErrNotFound, func(ctx context.Context, keeper backend.NamespaceKeeper) error {
		return keeper.DeleteNamespace(ctx, name)
	})
}

// everywhere changes a namespace at all children that have namespaces. It is an
// error of the kind same only when it is one at all of them.
func (b *Backend) everywhere(ctx context.Context, doing string, same error, do func(context.Context, backend.NamespaceKeeper) error) error {
	answers := askWithin(ctx, b, changeTimeout, func(ctx context.Context, c *child) (struct{}, error) {
		if keeper, ok := c.Backend.(backend.NamespaceKeeper); ok {
			return struct{}{}, do(ctx, keeper)
		}
		return struct{}{}, lacks(c, "namespaces")
	})
	b.rereadNamespaces(ctx)
	return outcome(doing, same, answers)
}

// rereadNamespaces makes a change known at once.
func (b *Backend) rereadNamespaces(ctx context.Context) {
	for _, a := range ask(ctx, b, func(ctx context.Context, c *child) ([]string, error) {
		if n, ok := c.Backend.(backend.Namespacer); ok {
			return n.Namespaces(ctx)
		}
		return []string{b.opts.Namespace}, nil
	}) {
		if a.err == nil {
			b.index.namespaces(a.child, a.value)
		}
	}
}

// outcome is the result of a change at all children. Those that lack the ability
// do not count, unless all do; an error of the kind same counts when there is
// nothing else.
func outcome[T any](doing string, same error, answers []answer[T]) error {
	var sames, others, done int
	for _, a := range answers {
		switch {
		case a.err == nil:
			done++
		case errors.Is(a.err, same):
			sames++
		case !errors.Is(a.err, backend.ErrUnsupported):
			others++
		}
	}
	if others == 0 && done > 0 {
		return nil
	}
	if others == 0 && sames > 0 {
		i := slices.IndexFunc(answers, func(a answer[T]) bool { return errors.Is(a.err, same) })
		return answers[i].err
	}
	return summary(doing, answers)
}

// summary is the error of several answers, and of the kind of the first that is
// not of one that lacks the ability.
func summary[T any](doing string, answers []answer[T]) error {
	var errs []error
	var kind, lacking error
	for _, a := range answers {
		switch {
		case a.err == nil:
		case errors.Is(a.err, backend.ErrUnsupported):
			lacking = a.err
		default:
			if kind == nil || errors.Is(kind, backend.ErrNotFound) {
				kind = a.err
			}
			errs = append(errs, fmt.Errorf("%s at %s: %w", doing, a.child.name, a.err))
		}
	}
	if len(errs) == 0 {
		return lacking
	}
	for _, k := range []error{backend.ErrNotFound, backend.ErrExists, backend.ErrConflict, backend.ErrInvalid, backend.ErrTimeout, backend.ErrUnreachable, backend.ErrUnavailable} {
		if errors.Is(kind, k) {
			// Not joined with %w: one child's 404 must not outweigh
			// another's failure.
			return backend.Errorf(k, "%s", errors.Join(errs...))
		}
	}
	return errors.Join(errs...)
}
