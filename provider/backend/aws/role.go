package aws

import (
	"context"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/roles"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/secrets"
)

// ManagedRole in the place of a role's ARN means a role of each function's own,
// that the provider makes, keeps and removes with the function.
const ManagedRole = annotations.ManagedRole

// managedRole is what a record keeps of a role that is managed: with the
// deployment itself, all that its policy depends on.
type managedRole struct {
	Store string   `json:"store,omitempty"` // of the function's secrets
	Keys  []string `json:"keys,omitempty"`  // that encrypt them
}

// grants are what the policy of a managed role depends on, for a deployment that has
// one.
func (r record) grants() policy.Grants {
	return policy.Grants{Deployed: r.Deployed, Store: r.Managed.Store, Keys: r.Managed.Keys}
}

// roleOf returns the managed role of a function, whether or not there is one.
func (a *account) roleOf(ctx context.Context, name backend.Name, function string) (*roles.Role, error) {
	place, err := a.place(ctx)
	if err != nil {
		return nil, err
	}
	return a.roles.Role(place, name, function), nil
}

// managed returns what the record of a plan keeps of its managed role; nil when
// its role is another.
func (p plan) managed() *managedRole {
	if !p.ownRole {
		return nil
	}
	store := p.store
	if store == secrets.SecretsManager || len(p.deployment.Secrets) == 0 {
		store = ""
	}
	return &managedRole{Store: store, Keys: p.roleKeys()}
}

// roleKeys are the keys that a managed role may use.
func (p plan) roleKeys() []string {
	if !p.ownRole {
		return nil
	}
	return p.kmsKeys
}

func (d document) hasManagedRole() bool {
	for _, r := range d.Records {
		if r.Managed != nil {
			return true
		}
	}
	return false
}
