package memory

import (
	"context"
	"slices"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

type secretKey struct{ namespace, name string }

// Secrets implements backend.SecretKeeper.
func (b *Backend) Secrets(_ context.Context, namespace string) ([]types.Secret, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []types.Secret
	for key := range b.secrets {
		if key.namespace == namespace {
			out = append(out, types.Secret{Name: key.name, Namespace: namespace})
		}
	}
	slices.SortFunc(out, func(a, b types.Secret) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// CreateSecret implements backend.SecretKeeper.
func (b *Backend) CreateSecret(ctx context.Context, s types.Secret) error {
	return b.change(ctx, func() error {
		key := secretKey{s.Namespace, s.Name}
		if _, ok := b.namespaces[s.Namespace]; !ok {
			return noNamespace(s.Namespace)
		}
		if _, ok := b.secrets[key]; ok {
			return backend.Errorf(backend.ErrExists, "secret %q already exists in namespace %s", s.Name, s.Namespace)
		}
		b.secrets[key] = backend.SecretValue(s)
		return nil
	})
}

// UpdateSecret implements backend.SecretKeeper.
func (b *Backend) UpdateSecret(ctx context.Context, s types.Secret) error {
	return b.change(ctx, func() error {
		key := secretKey{s.Namespace, s.Name}
		if _, ok := b.secrets[key]; !ok {
			return noSecret(key)
		}
		b.secrets[key] = backend.SecretValue(s)
		return nil
	})
}

// DeleteSecret implements backend.SecretKeeper.
func (b *Backend) DeleteSecret(ctx context.Context, namespace, name string) error {
	return b.change(ctx, func() error {
		key := secretKey{namespace, name}
		if _, ok := b.secrets[key]; !ok {
			return noSecret(key)
		}
		for f, deployed := range b.functions {
			if f.Namespace == namespace && slices.Contains(deployed.deployed.Secrets, name) {
				return backend.Errorf(backend.ErrConflict, "secret %q is used by function %s: remove it there first", name, f)
			}
		}
		delete(b.secrets, key)
		return nil
	})
}

func noSecret(key secretKey) error {
	return backend.Errorf(backend.ErrNotFound, "secret %q not found in namespace %s", key.name, key.namespace)
}
