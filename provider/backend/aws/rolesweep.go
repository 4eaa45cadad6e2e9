package aws

import (
	"context"
	"errors"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/roles"
)

// A provider that ends between making a role and the function that runs as it, or
// between removing them, leaves the role: nothing tells of it but IAM. Whoever has
// functions with managed roles looks there for those that no function has.

// sweepRoles removes the managed roles that no function has, when it is time to look
// for them.
func (b *Backend) sweepRoles(ctx context.Context, a *account) {
	if a.role == ManagedRole {
		a.roles.Used()
	}
	known := func(ctx context.Context) (map[string]bool, error) { return a.listing.withRoles(ctx, a.roles) }
	err := a.roles.Sweep(ctx, b.opts.TakeOver, known, func(id string) error {
		err := b.sweepRole(ctx, a, id)
		if err != nil {
			b.log.Error("remove role that was left", "role", id, "error", err)
		}
		return err
	})
	if err != nil {
		b.log.Warn("look for roles that were left", "error", err)
	}
}

// sweepRole removes a role unless its function has it. Roles of namespaces that
// are another provider's are left to that.
func (b *Backend) sweepRole(ctx context.Context, a *account, id string) error {
	owner, ok, err := a.roles.Owner(ctx, id)
	if err != nil || !ok {
		return err
	}
	name := owner.Name
	if at, err := b.accountOf(ctx, name.Namespace); err != nil || at != a || a.roles.ID(name) != id {
		if errors.Is(err, backend.ErrNotFound) {
			err = nil
		}
		return err
	}
	release, err := b.busy.take(name)
	if err != nil {
		return nil // it is being changed here
	}
	defer release()
	r, err := a.roleOf(ctx, name, owner.Function)
	if err != nil {
		return err
	}
	f, err := b.get(ctx, name)
	switch {
	case errors.Is(err, backend.ErrConflict): // somebody else's function has the name
	case err == nil && f.claimsRole(r), err != nil && !errors.Is(err, backend.ErrNotFound):
		return err
	}
	if err := r.Remove(ctx); err != nil {
		return err
	}
	b.log.Info("removed role that was left", "role", id, "function", name.String())
	return nil
}

// withRoles returns the names of the managed roles that the listed functions have,
// or may have.
func (l *listing) withRoles(ctx context.Context, of *roles.Keeper) (map[string]bool, error) {
	select {
	case l.hold <- struct{}{}:
		defer func() { <-l.hold }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	known := map[string]bool{}
	for name, e := range l.all {
		if f := e.found; f.damaged != nil || f.state() != settled || f.doc.hasManagedRole() {
			known[of.ID(name)] = true
		}
	}
	return known, nil
}
