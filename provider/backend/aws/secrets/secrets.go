// Package secrets keeps the secrets of functions in one AWS account: under which
// name, with which tags, in Secrets Manager or in Parameter Store. It knows nothing of
// functions: a deployment names its secrets, and bootstrap fetches them.
package secrets

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Where the secrets of functions are kept, as the setting and a Store's references
// call it.
const (
	SecretsManager = "secretsmanager" // the default
	ParameterStore = "ssm"
)

// Tags of a secret that this program made; what lacks them is never touched.
const (
	tagSecret    = "faas-lambda:secret"    // the OpenFaaS name
	tagNamespace = "faas-lambda:namespace" // of functions too
)

// Prefix begins the names of secrets in AWS, so that one line of a policy covers
// those of all namespaces.
const Prefix = "faas-lambda/"

// Store is a service that keeps secrets, in one account. Errors have the kinds of
// backend.SecretKeeper, and ErrConflict for what somebody else made under the same
// name. A store may be used concurrently.
type Store interface {
	// Names returns the secrets of a namespace, in no order.
	Names(ctx context.Context, namespace string) ([]string, error)
	// Create takes a value up to the service's limit, and ErrInvalid is what it
	// says of one that the service does not take, and of a name that is none.
	Create(ctx context.Context, key Key, value []byte) error
	Update(ctx context.Context, key Key, value []byte) error
	Remove(ctx context.Context, key Key) error
	// Find returns ErrNotFound when the secret is not there, or not ours, and
	// else the KMS key that encrypts it; empty for AWS's own.
	Find(ctx context.Context, key Key) (kmsKey string, err error)
	// Reference is what bootstrap fetches the secret by: SERVICE:ID.
	Reference(key Key) string
}

// Key names one secret, as OpenFaaS does.
type Key struct{ Namespace, Name string }

// String is how errors name the secret.
func (k Key) String() string { return k.Name + " of namespace " + k.Namespace }

// ID is what the secret is called in Secrets Manager. In Parameter Store a slash
// comes before it.
func (k Key) ID() string { return Prefix + k.Namespace + "/" + k.Name }

func (k Key) missing() error {
	return backend.Errorf(backend.ErrNotFound, "secret %q not found in namespace %s", k.Name, k.Namespace)
}

func (k Key) exists() error {
	return backend.Errorf(backend.ErrExists, "secret %q already exists in namespace %s", k.Name, k.Namespace)
}

func (k Key) foreign(what string) error {
	return backend.Errorf(backend.ErrConflict, "%s was not made by faas-lambda: it is left alone", what)
}

// tags mark the secret as ours.
func (k Key) tags() map[string]string {
	return map[string]string{tagSecret: k.Name, tagNamespace: k.Namespace}
}

// validate refuses a name that could not become a file, or is not one that
// the provider API takes.
func (k Key) validate() error {
	if k.Name == "" || k.Name[0] == '.' || strings.ContainsAny(k.Name, "/\\ ") {
		return backend.Errorf(backend.ErrInvalid, "secret %q: want letters, digits, -, _ and . inside", k.Name)
	}
	return nil
}

// lookups is how many secrets of a deployment are looked up at a time.
const lookups = 4

// FindAll returns the KMS keys of one's own that encrypt secrets, each once, and those
// of names that do not exist, quoted, in the order of names.
func FindAll(ctx context.Context, store Store, namespace string, names []string) (kmsKeys, missing []string, err error) {
	found, keys := make([]bool, len(names)), make([]string, len(names))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, name := range names {
		group.Go(func() error {
			key, err := store.Find(within, Key{namespace, name})
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
