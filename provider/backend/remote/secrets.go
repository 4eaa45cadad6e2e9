package remote

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/openfaas/faas-provider/types"
)

// Secrets implements backend.SecretKeeper.
func (b *Backend) Secrets(ctx context.Context, namespace string) ([]types.Secret, error) {
	var out []types.Secret
	_, err := b.do(ctx, call{method: http.MethodGet, path: "/system/secrets", query: in(namespace), receive: &out, doing: "list secrets"})
	for i := range out {
		out[i] = types.Secret{Name: out[i].Name, Namespace: namespace}
	}
	slices.SortFunc(out, func(a, b types.Secret) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

// CreateSecret implements backend.SecretKeeper.
func (b *Backend) CreateSecret(ctx context.Context, s types.Secret) error {
	return asExists(b.changeSecret(ctx, http.MethodPost, s))
}

// UpdateSecret implements backend.SecretKeeper.
func (b *Backend) UpdateSecret(ctx context.Context, s types.Secret) error {
	return b.changeSecret(ctx, http.MethodPut, s)
}

// DeleteSecret implements backend.SecretKeeper.
func (b *Backend) DeleteSecret(ctx context.Context, namespace, name string) error {
	return b.changeSecret(ctx, http.MethodDelete, types.Secret{Name: name, Namespace: namespace})
}

func (b *Backend) changeSecret(ctx context.Context, method string, s types.Secret) error {
	_, err := b.do(ctx, call{method: method, path: "/system/secrets", query: in(s.Namespace), send: s, doing: "change secret " + s.Name})
	return err
}
