package aws

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/openfaas/faas-provider/types"
	"golang.org/x/sync/errgroup"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Where the secrets of functions are kept: Options.SecretStore.
const (
	SecretsManager = "secretsmanager" // the default
	ParameterStore = "ssm"
)

// secretsVariable tells bootstrap which secrets to fetch (docs/secrets.md).
const secretsVariable = "FAAS_LAMBDA_SECRETS"

// Tags of a secret that this program made; what lacks them is never touched.
const (
	tagSecret = "faas-lambda:secret" // the OpenFaaS name; its namespace is in tagNamespace
	// secretPrefix begins the names of secrets in AWS, so that one line of a
	// policy covers those of a namespace.
	secretPrefix = "faas-lambda/"
)

var _ backend.SecretKeeper = (*Backend)(nil)

// secretStore is a service that keeps secrets, in one account. Errors have the
// kinds of backend.SecretKeeper, and ErrConflict for what somebody else made
// under the same name.
type secretStore interface {
	names(ctx context.Context, namespace string) ([]string, error)
	create(ctx context.Context, key secretKey, value []byte) error
	update(ctx context.Context, key secretKey, value []byte) error
	remove(ctx context.Context, key secretKey) error
	// find returns ErrNotFound when the secret is not there, or not ours, and
	// else the KMS key that encrypts it; empty for AWS's own.
	find(ctx context.Context, key secretKey) (kmsKey string, err error)
	// reference is what bootstrap fetches the secret by: SERVICE:ID.
	reference(key secretKey) string
}

// secretKey names one secret.
type secretKey struct{ namespace, name string }

func (k secretKey) String() string { return k.name + " of namespace " + k.namespace }

// id is what the secret is called in Secrets Manager.
func (k secretKey) id() string { return secretPrefix + k.namespace + "/" + k.name }

func (k secretKey) missing() error {
	return backend.Errorf(backend.ErrNotFound, "secret %q not found in namespace %s", k.name, k.namespace)
}

func (k secretKey) exists() error {
	return backend.Errorf(backend.ErrExists, "secret %q already exists in namespace %s", k.name, k.namespace)
}

func (k secretKey) foreign(what string) error {
	return backend.Errorf(backend.ErrConflict, "%s was not made by faas-lambda: it is left alone", what)
}

// tags mark the secret as ours.
func (k secretKey) tags() map[string]string {
	return map[string]string{tagSecret: k.name, tagNamespace: k.namespace}
}

// keeps returns the store of a namespace's secrets.
func (b *Backend) keeps(ctx context.Context, namespace string) (secretStore, error) {
	a, err := b.accountOf(ctx, namespace)
	if err != nil {
		return nil, err
	}
	if b.opts.SecretStore == ParameterStore {
		return &parameterStore{client: a.params}, nil
	}
	return &secretsManager{client: a.secrets}, nil
}

// Secrets implements backend.SecretKeeper.
func (b *Backend) Secrets(ctx context.Context, namespace string) ([]types.Secret, error) {
	store, err := b.keeps(ctx, namespace)
	if err != nil {
		return nil, err
	}
	names, err := store.names(ctx, namespace)
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
	return store.create(ctx, secretKey{s.Namespace, s.Name}, backend.SecretValue(s))
}

// UpdateSecret implements backend.SecretKeeper. Functions see the new value
// when bootstrap fetches their secrets anew (docs/secrets.md).
func (b *Backend) UpdateSecret(ctx context.Context, s types.Secret) error {
	store, err := b.keeps(ctx, s.Namespace)
	if err != nil {
		return err
	}
	return store.update(ctx, secretKey{s.Namespace, s.Name}, backend.SecretValue(s))
}

// DeleteSecret implements backend.SecretKeeper. A secret of a function is not
// deleted: none of its sandboxes could start any more.
func (b *Backend) DeleteSecret(ctx context.Context, namespace, name string) error {
	key := secretKey{namespace, name}
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
	return store.remove(ctx, key)
}

// lookups is how many secrets of a deployment are looked up at a time.
const lookups = 4

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
		references[name] = store.reference(secretKey{namespace, name})
	}
	kmsKeys, missing, err := findSecrets(ctx, store, namespace, slices.Sorted(maps.Keys(references)))
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

// findSecrets returns the keys that encrypt secrets, and those of names that do
// not exist.
func findSecrets(ctx context.Context, store secretStore, namespace string, names []string) (kmsKeys, missing []string, err error) {
	found, keys := make([]bool, len(names)), make([]string, len(names))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, name := range names {
		group.Go(func() error {
			key, err := store.find(within, secretKey{namespace, name})
			found[i], keys[i] = err == nil, key
			if errors.Is(err, backend.ErrNotFound) {
				return nil
			}
			return err
		})
	}
	err = group.Wait()
	for i, name := range names {
		if !found[i] {
			missing = append(missing, strconv.Quote(name))
		}
	}
	slices.Sort(keys)
	return slices.DeleteFunc(slices.Compact(keys), func(key string) bool { return key == "" }), missing, err
}

// validate refuses a name that could not become a file, or is not one that
// the provider API takes.
func (k secretKey) validate() error {
	if k.name == "" || k.name[0] == '.' || strings.ContainsAny(k.name, "/\\ ") {
		return backend.Errorf(backend.ErrInvalid, "secret %q: want letters, digits, -, _ and . inside", k.name)
	}
	return nil
}
