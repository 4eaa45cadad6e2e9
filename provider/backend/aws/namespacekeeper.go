package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// checkNamespace refuses names and annotations that cannot be used.
func checkNamespace(ns types.FunctionNamespace) error {
	if !namespaceName.MatchString(ns.Name) {
		return backend.Errorf(backend.ErrInvalid, "namespace %q: want lower case letters, digits and -, at most 63", ns.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(ns.Annotations)) {
		value, err := ns.Annotations[name], error(nil)
		switch name {
		case namespaceAssume:
			err = annotations.RoleARN(value)
		case namespaceRole:
			err = annotations.Role(value)
		case namespaceRegion:
			if !regionName.MatchString(value) {
				err = errors.New("not a region such as eu-west-1")
			}
		default:
			if strings.HasPrefix(name, annotations.Prefix) {
				err = fmt.Errorf("not known: want %s, %s or %s", namespaceAssume, namespaceRegion, namespaceRole)
			}
		}
		if err != nil {
			return backend.Errorf(backend.ErrInvalid, "namespace %s: annotation %s=%q: %w", ns.Name, name, value, err)
		}
	}
	return nil
}

// CreateNamespace implements backend.NamespaceKeeper.
func (b *Backend) CreateNamespace(ctx context.Context, ns types.FunctionNamespace) error {
	if err := checkNamespace(ns); err != nil {
		return err
	}
	if _, configured := b.opts.Accounts[ns.Name]; configured || ns.Name == b.opts.Namespace {
		return backend.Errorf(backend.ErrExists, "namespace %s already exists", ns.Name)
	}
	if err := b.enter(ctx, ns); err != nil {
		return err
	}
	return b.putNamespace(ctx, ns, false)
}

// UpdateNamespace implements backend.NamespaceKeeper. The functions of a
// namespace cannot be moved to another account. Where the role of its account
// cannot be assumed nobody knows whether there are any, and another is taken.
func (b *Backend) UpdateNamespace(ctx context.Context, ns types.FunctionNamespace) error {
	if err := checkNamespace(ns); err != nil {
		return err
	}
	b.forgetNamespaces()
	old, err := b.Namespace(ctx, ns.Name)
	if err != nil {
		return err
	}
	was, is := b.place(old), b.place(ns)
	if was.AssumeRole != is.AssumeRole || was.Region != is.Region {
		if ns.Name == b.opts.Namespace {
			return backend.Errorf(backend.ErrInvalid, "update namespace %s: the account of the default namespace is the provider's own, or set by its configuration", ns.Name)
		}
		if err := b.enter(ctx, old); errors.Is(err, errBarred) {
			b.log.Warn("namespace moved out of an account that the provider may not act in: what is left there stays", "namespace", ns.Name, "error", err)
		} else if err := b.empty(ctx, "move namespace "+ns.Name+" to another account or region", ns.Name); err != nil {
			return err
		}
		if err := b.enter(ctx, ns); err != nil {
			return err
		}
	}
	return b.putNamespace(ctx, ns, true)
}

// errBarred says that a role cannot be assumed, and that this is not for now only.
var errBarred = errors.New("the provider may not act in this role: see the role's trust policy, and sts:AssumeRole in the provider's own")

// barring are what STS answers then.
var barring = map[string]bool{"AccessDenied": true, "AccessDeniedException": true, "ValidationError": true, "RegionDisabledException": true}

// enter makes sure that the provider can act where the functions of a namespace
// are to be.
func (b *Backend) enter(ctx context.Context, ns types.FunctionNamespace) error {
	key := b.place(ns)
	if key.AssumeRole == "" {
		return nil
	}
	_, err := b.accounts.get(b.config, key, b.opts).config.Credentials.Retrieve(ctx)
	if err = awserr.Wrap("assume role "+key.AssumeRole+" of namespace "+ns.Name, err); barring[awserr.Code(err)] {
		return backend.Errorf(backend.ErrInvalid, "%w: %w", err, errBarred)
	}
	return err
}

func (b *Backend) putNamespace(ctx context.Context, ns types.FunctionNamespace, overwrite bool) error {
	value, err := json.Marshal(storedNamespace{ns.Labels, ns.Annotations})
	if err != nil {
		return fmt.Errorf("encode namespace %s: %w", ns.Name, err)
	}
	defer b.forgetNamespaces()
	_, err = b.ssm.PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(namespacePath + ns.Name), Value: aws.String(string(value)), Type: ssmtypes.ParameterTypeString,
		Tier: ssmtypes.ParameterTierIntelligentTiering, Overwrite: &overwrite,
		Description: aws.String("Namespace of OpenFaaS functions, kept by faas-lambda"),
	})
	var exists *ssmtypes.ParameterAlreadyExists
	if errors.As(err, &exists) {
		return backend.Errorf(backend.ErrExists, "namespace %s already exists", ns.Name)
	}
	return awserr.Wrap("write namespace "+ns.Name, err)
}

// DeleteNamespace implements backend.NamespaceKeeper.
func (b *Backend) DeleteNamespace(ctx context.Context, name string) error {
	doing := "delete namespace " + name
	if name == b.opts.Namespace {
		return backend.Errorf(backend.ErrConflict, "%s: it is the default one", doing)
	}
	if _, configured := b.opts.Accounts[name]; configured {
		return backend.Errorf(backend.ErrConflict, "%s: it is part of the provider's configuration", doing)
	}
	b.forgetNamespaces()
	ns, err := b.Namespace(ctx, name)
	if err != nil {
		return err
	}
	if err := b.enter(ctx, ns); errors.Is(err, errBarred) {
		return backend.Errorf(backend.ErrConflict, "%s: what is in it is not known: %w: if it may stay, first update the namespace with another role, or none", doing, err)
	}
	if err := b.empty(ctx, doing, name); err != nil {
		return err
	}
	secrets, err := b.Secrets(ctx, name)
	if err != nil && !noIndex[awserr.Code(err)] {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if n := len(secrets); n > 0 {
		return backend.Errorf(backend.ErrConflict, "%s: it has secrets (%d), %s among them: delete them first", doing, n, secrets[0].Name)
	}
	defer b.forgetNamespaces()
	_, err = b.ssm.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: aws.String(namespacePath + name)})
	var gone *ssmtypes.ParameterNotFound
	if errors.As(err, &gone) {
		return backend.Errorf(backend.ErrNotFound, "namespace %s not found", name)
	}
	return awserr.Wrap(doing, err)
}

// empty makes sure that there are no functions in a namespace.
func (b *Backend) empty(ctx context.Context, doing, namespace string) error {
	a, err := b.accountOf(ctx, namespace)
	if err != nil {
		return err
	}
	a.listing.expire()
	functions, err := b.List(ctx, namespace)
	if err != nil {
		return err
	}
	if n := len(functions); n > 0 {
		return backend.Errorf(backend.ErrConflict, "%s: it has functions (%d), %s among them: delete them first", doing, n, functions[0].Name)
	}
	return nil
}
