package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/roles"
)

// asRole does a step of a change that Lambda refuses as long as IAM does not show
// it the managed role, or what that may do: what the deployment before needs and
// what the new one does. keepRole narrows it when one of them serves.
func (c *change) asRole(ctx context.Context, do func(context.Context) error) error {
	if c.latest.Managed == nil {
		return do(ctx)
	}
	r, err := c.account.roleOf(ctx, c.plan.name, c.plan.function)
	if err != nil {
		return err
	}
	allowed, err := r.Policy(c.latest.grants())
	if err != nil {
		return err
	}
	if c.before != nil && c.before.Managed != nil {
		before, err := r.Policy(c.before.grants())
		if err != nil {
			return err
		}
		allowed = allowed.With(before)
	}
	there := c.inRole // an earlier step has seen to it
	c.inRole = true
	return roles.WhenSettled(ctx, c.b.opts.DeployTimeout, func(ctx context.Context) error {
		if there {
			there = false
			return nil
		}
		return r.Ensure(ctx, allowed)
	}, do)
}

// keepRole brings the managed role of a function to what its deployment that
// serves needs, once doc is what is recorded of it. A role that none of its
// deployments has goes.
func (b *Backend) keepRole(ctx context.Context, f *found, doc document) error {
	keeps := doc.hasManagedRole()
	if !keeps && !f.doc.hasManagedRole() {
		return nil
	}
	serves, err := doc.current()
	if err != nil {
		return err
	}
	r, err := f.account.roleOf(ctx, f.name, f.function())
	if err != nil {
		return err
	}
	switch {
	case !keeps:
		return r.Remove(ctx)
	case serves.Managed == nil:
		return r.Forbid(ctx)
	}
	allowed, err := r.Policy(serves.grants())
	if err != nil {
		return err
	}
	return r.Ensure(ctx, allowed)
}

// removeRole undoes what a change that made no function made of its role.
func (c *change) removeRole(ctx context.Context) error {
	if !c.inRole {
		return nil
	}
	r, err := c.account.roleOf(ctx, c.plan.name, c.plan.function)
	if err != nil {
		return err
	}
	return r.Remove(ctx)
}

// giveBackRole undoes what a change made of the role of a function that another
// one made or changed meanwhile. Who is still changing it sees to its role itself.
func (c *change) giveBackRole(ctx context.Context, f *found) error {
	if !c.inRole || c.current != nil || f.adopted || f.state() != settled || f.damaged != nil {
		return nil
	}
	if !f.doc.hasManagedRole() { // it runs as another
		return c.removeRole(ctx)
	}
	return c.b.keepRole(ctx, f, f.doc)
}

// leaveRole removes the managed role of a function that is gone. Lambda needed it
// to the end, to leave the function's network.
func (b *Backend) leaveRole(ctx context.Context, f *found) error {
	if !f.doc.hasManagedRole() && !f.account.roles.Is(aws.ToString(f.config.Role), f.name) {
		return nil
	}
	r, err := f.account.roleOf(ctx, f.name, f.function())
	if err != nil {
		return err
	}
	return r.Remove(ctx)
}

// claimsRole tells whether a function is, or may be, in its managed role.
func (f *found) claimsRole(r *roles.Role) bool {
	return f.damaged != nil || f.state() != settled || f.doc.hasManagedRole() || aws.ToString(f.config.Role) == r.ARN()
}
