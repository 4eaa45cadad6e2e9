package aws

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/secrets"
)

// secretsVariable tells bootstrap which secrets to fetch (docs/secrets.md).
const secretsVariable = "FAAS_LAMBDA_SECRETS"

var _ backend.SecretKeeper = (*Backend)(nil)

// keeps returns the store of a namespace's secrets.
func (b *Backend) keeps(ctx context.Context, namespace string) (secrets.Store, error) {
	a, err := b.accountOf(ctx, namespace)
	if err != nil {
		return nil, err
	}
	if b.opts.SecretStore == secrets.ParameterStore {
		return secrets.InParameterStore(a.params), nil
	}
	return secrets.InSecretsManager(a.secrets), nil
}

// Secrets implements backend.SecretKeeper.
func (b *Backend) Secrets(ctx context.Context, namespace string) ([]types.Secret, error) {
	store, err := b.keeps(ctx, namespace)
	if err != nil {
		return nil, err
	}
	names, err := store.Names(ctx, namespace)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var out []types.Secret
	for _, name := range slices.Compact(names) {
		out = append(out, types.Secret{Name: name, Namespace: namespace})
	}
	return out, nil
}

// CreateSecret implements backend.SecretKeeper.
func (b *Backend) CreateSecret(ctx context.Context, s types.Secret) error {
	store, err := b.keeps(ctx, s.Namespace)
	if err != nil {
		return err
	}
	return store.Create(ctx, secrets.Key{Namespace: s.Namespace, Name: s.Name}, backend.SecretValue(s))
}

// UpdateSecret implements backend.SecretKeeper. Functions see the new value
// when bootstrap fetches their secrets anew (docs/secrets.md).
func (b *Backend) UpdateSecret(ctx context.Context, s types.Secret) error {
	store, err := b.keeps(ctx, s.Namespace)
	if err != nil {
		return err
	}
	return store.Update(ctx, secrets.Key{Namespace: s.Namespace, Name: s.Name}, backend.SecretValue(s))
}

// DeleteSecret implements backend.SecretKeeper. A secret of a function is not
// deleted: none of its sandboxes could start any more.
func (b *Backend) DeleteSecret(ctx context.Context, namespace, name string) error {
	key := secrets.Key{Namespace: namespace, Name: name}
	store, err := b.keeps(ctx, namespace)
	if err != nil {
		return err
	}
	functions, err := b.List(ctx, namespace)
	if err != nil {
		return err
	}
	for _, f := range functions {
		if slices.Contains(f.Secrets, name) {
			return backend.Errorf(backend.ErrConflict, "secret %q is used by function %s.%s: remove it there first", name, f.Name, namespace)
		}
	}
	return store.Remove(ctx, key)
}

// secretVariables returns the variables by which a function gets its secrets,
// none for none, and the KMS keys that encrypt them. A secret that does not exist
// is an ErrInvalid that names it.
func (b *Backend) secretVariables(ctx context.Context, namespace string, names []string) (variables map[string]string, kmsKeys []string, err error) {
	if len(names) == 0 {
		return nil, nil, nil
	}
	store, err := b.keeps(ctx, namespace)
	if err != nil {
		return nil, nil, err
	}
	references := map[string]string{}
	for _, name := range names {
		references[name] = store.Reference(secrets.Key{Namespace: namespace, Name: name})
	}
	kmsKeys, missing, err := secrets.FindAll(ctx, store, namespace, slices.Sorted(maps.Keys(references)))
	if err != nil {
		return nil, nil, err
	}
	if len(missing) > 0 {
		return nil, nil, backend.Errorf(backend.ErrInvalid, "secret %s not found in namespace %s: create it before the function that uses it", strings.Join(missing, ", "), namespace)
	}
	text, err := json.Marshal(references)
	if err != nil {
		return nil, nil, backend.Errorf(backend.ErrInvalid, "encode secrets: %w", err)
	}
	return map[string]string{secretsVariable: string(text)}, kmsKeys, nil
}
