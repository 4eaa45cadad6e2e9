package aws

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Where the secrets of functions are kept: Options.SecretStore.
const (
	SecretsManager = "secretsmanager" // the default
	ParameterStore = "ssm"
)

// Tags of a secret that this program made; what lacks them is never touched.
const (
	tagSecret = "faas-lambda:secret" // the OpenFaaS name; its namespace is in tagNamespace
	// secretPrefix begins the names of secrets in AWS, so that one line of a
	// policy covers those of a namespace.
	secretPrefix = "faas-lambda/"
)

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

// validate refuses a name that could not become a file, or is not one that
// the provider API takes.
func (k secretKey) validate() error {
	if k.name == "" || k.name[0] == '.' || strings.ContainsAny(k.name, "/\\ ") {
		return backend.Errorf(backend.ErrInvalid, "secret %q: want letters, digits, -, _ and . inside", k.name)
	}
	return nil
}

// lookups is how many secrets of a deployment are looked up at a time.
const lookups = 4

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
