package federation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// SecretsMode says where secrets are kept.
type SecretsMode string

const (
	// SecretsEverywhere keeps every secret at all children that keep secrets,
	// so that a function can move and overflow.
	SecretsEverywhere SecretsMode = "everywhere"
	// SecretsByFunction keeps the secrets of a namespace at the children that
	// its functions are at, and at the one where its next function would go.
	SecretsByFunction SecretsMode = "by-function"
)

// keepers returns the children that keep the secrets of a namespace.
func (b *Backend) keepers(namespace string) map[*child]bool {
	out := map[*child]bool{}
	if b.opts.Secrets != SecretsByFunction {
		for _, c := range b.children {
			out[c] = true
		}
		return out
	}
	for name, e := range b.index.view.Load().functions {
		if name.Namespace == namespace {
			out[e.home] = true
			if e.second != nil {
				out[e.second] = true
			}
		}
	}
	if p, err := b.route(types.FunctionDeployment{Namespace: namespace}); err == nil {
		out[p.home] = true
	}
	return out
}

// atKeepers does something at the children that keep secrets.
func atKeepers[T any](ctx context.Context, b *Backend, namespace string, do func(context.Context, backend.SecretKeeper) (T, error)) []answer[T] {
	keepers := b.keepers(namespace)
	answers := askWithin(ctx, b, changeTimeout, func(ctx context.Context, c *child) (T, error) {
		keeper, ok := c.Backend.(backend.SecretKeeper)
		if !ok || !keepers[c] {
			var none T
			return none, lacks(c, "secrets")
		}
		return do(ctx, keeper)
	})
	return slices.DeleteFunc(answers, func(a answer[T]) bool { return !keepers[a.child] })
}

// Secrets implements backend.SecretKeeper: those of all children that answer.
func (b *Backend) Secrets(ctx context.Context, namespace string) ([]types.Secret, error) {
	answers := ask(ctx, b, func(ctx context.Context, c *child) ([]types.Secret, error) {
		if keeper, ok := c.Backend.(backend.SecretKeeper); ok {
			return keeper.Secrets(ctx, namespace)
		}
		return nil, lacks(c, "secrets")
	})
	all, answered := map[string]bool{}, false
	for _, a := range answers {
		answered = answered || a.err == nil
		for _, s := range a.value {
			all[s.Name] = true
		}
		if a.err != nil && !errors.Is(a.err, backend.ErrUnsupported) {
			b.log.Warn("secrets are missing from a list", "part", a.child.name, "error", a.err)
		}
	}
	if !answered {
		return nil, summary("list secrets", answers)
	}
	out := make([]types.Secret, 0, len(all))
	for _, name := range slices.SortedFunc(maps.Keys(all), strings.Compare) {
		out = append(out, types.Secret{Name: name, Namespace: namespace})
	}
	return out, nil
}

// CreateSecret implements backend.SecretKeeper. Where the secret is already and
// elsewhere is not, it gets the new value. When a child fails, those that had no
// such secret have none afterwards.
func (b *Backend) CreateSecret(ctx context.Context, s types.Secret) error {
	answers := atKeepers(ctx, b, s.Namespace, func(ctx context.Context, k backend.SecretKeeper) (bool, error) {
		return true, k.CreateSecret(ctx, s)
	})
	err := outcome("create secret "+s.Name, backend.ErrExists, answers)
	if err == nil {
		return b.equalize(ctx, answers, backend.ErrExists, func(ctx context.Context, k backend.SecretKeeper) error { return k.UpdateSecret(ctx, s) })
	}
	if !errors.Is(err, backend.ErrExists) {
		for _, a := range answers {
			if a.err == nil {
				err = errors.Join(err, a.child.Backend.(backend.SecretKeeper).DeleteSecret(context.WithoutCancel(ctx), s.Namespace, s.Name))
			}
		}
	}
	return err
}

// UpdateSecret implements backend.SecretKeeper. Where the secret is missing and
// elsewhere is not, it is made.
func (b *Backend) UpdateSecret(ctx context.Context, s types.Secret) error {
	answers := atKeepers(ctx, b, s.Namespace, func(ctx context.Context, k backend.SecretKeeper) (bool, error) {
		return true, k.UpdateSecret(ctx, s)
	})
	if err := outcome("update secret "+s.Name, backend.ErrNotFound, answers); err != nil {
		return err
	}
	return b.equalize(ctx, answers, backend.ErrNotFound, func(ctx context.Context, k backend.SecretKeeper) error { return k.CreateSecret(ctx, s) })
}

// equalize does at the children whose answer was of a kind what makes them equal
// to the others.
func (b *Backend) equalize(ctx context.Context, answers []answer[bool], kind error, do func(context.Context, backend.SecretKeeper) error) error {
	var errs []error
	for _, a := range answers {
		if errors.Is(a.err, kind) {
			errs = append(errs, do(ctx, a.child.Backend.(backend.SecretKeeper)))
		}
	}
	return errors.Join(errs...)
}

// DeleteSecret implements backend.SecretKeeper, wherever the secret is. While a
// function that counts uses it, it stays everywhere.
func (b *Backend) DeleteSecret(ctx context.Context, namespace, name string) error {
	if user := b.index.user(namespace, name); user != "" {
		return backend.Errorf(backend.ErrConflict, "secret %q is used by function %s: remove it there first", name, user)
	}
	answers := askWithin(ctx, b, changeTimeout, func(ctx context.Context, c *child) (bool, error) {
		if keeper, ok := c.Backend.(backend.SecretKeeper); ok {
			return true, keeper.DeleteSecret(ctx, namespace, name)
		}
		return false, lacks(c, "secrets")
	})
	return outcome("delete secret "+name, backend.ErrNotFound, answers)
}

// user returns a function that uses a secret, or nothing.
func (x *index) user(namespace, secret string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	for name, copies := range x.copies {
		for _, status := range copies {
			if name.Namespace == namespace && slices.Contains(status.Secrets, secret) {
				return name.String()
			}
		}
	}
	return ""
}
