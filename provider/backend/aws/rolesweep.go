package aws

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
)

// A provider that ends between making a role and the function that runs as it, or
// between removing them, leaves the role: nothing tells of it but IAM. Whoever has
// functions with managed roles looks there for those that no function has.

// rolesFreshness is how often that is, rolesPause how soon where some are left.
const (
	rolesFreshness = 5 * time.Minute
	rolesPause     = 30 * time.Second
)

// roles is what a provider knows of the managed roles of an account and region.
type roles struct {
	mu    sync.Mutex // guards what follows
	some  bool       // there are some, as far as is known
	until time.Time  // when to look for those that were left
}

// used tells that there are managed roles.
func (r *roles) used() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.some = true
}

// due tells whether it is time to look; if so, the next time is rolesFreshness later.
func (r *roles) due() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.some || time.Now().Before(r.until) {
		return false
	}
	r.until = time.Now().Add(rolesFreshness)
	return true
}

// again makes a list look again after some time.
func (r *roles) again(after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until = time.Now().Add(after)
}

// sweepRoles removes the managed roles that no function has. A role that cannot be
// removed is tried again after rolesPause; where roles may not be listed, that is
// tried again after rolesFreshness.
func (b *Backend) sweepRoles(ctx context.Context, a *account) {
	if a.role == ManagedRole {
		a.roles.used()
	}
	if !a.roles.due() {
		return
	}
	known, err := a.listing.withRoles(ctx, a.config.Region)
	if err != nil {
		a.roles.again(0)
		return
	}
	pages := iam.NewListRolesPaginator(a.iam, &iam.ListRolesInput{PathPrefix: aws.String(b.rolePath(a.config.Region))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			b.log.Warn("look for roles that were left", "error", awserr.Wrap("list roles", err))
			return
		}
		at := clock.At(page.ResultMetadata)
		for _, role := range page.Roles {
			if known[aws.ToString(role.RoleName)] {
				continue
			}
			if b.opts.TakeOver > 0 && at.Sub(aws.ToTime(role.CreateDate)) < b.opts.TakeOver {
				a.roles.again(rolesPause) // its function may be about to be made
				continue
			}
			if err := b.sweepRole(ctx, a, aws.ToString(role.RoleName)); err != nil {
				a.roles.again(rolesPause)
				b.log.Error("remove role that was left", "role", aws.ToString(role.RoleName), "error", err)
			}
		}
	}
}

// sweepRole removes a role unless its function has it. Roles of namespaces that
// are another provider's are left to that.
func (b *Backend) sweepRole(ctx context.Context, a *account, id string) error {
	out, err := a.iam.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: &id})
	if unlessGone(err) != nil {
		return awserr.Wrap("read tags of role "+id, err)
	}
	if err != nil {
		return nil
	}
	tags := roleTags(out.Tags)
	name := backend.Name{Namespace: tags[tagNamespace], Function: tags[tagService]}
	if at, err := b.accountOf(ctx, name.Namespace); err != nil || at != a || roleName(name, a.config.Region) != id {
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
	r, err := b.roleOf(ctx, a, name, tags[tagFunction])
	if err != nil {
		return err
	}
	f, err := b.get(ctx, name)
	switch {
	case errors.Is(err, backend.ErrConflict): // somebody else's function has the name
	case err == nil && f.claimsRole(r), err != nil && !errors.Is(err, backend.ErrNotFound):
		return err
	}
	if err := r.remove(ctx); err != nil {
		return err
	}
	b.log.Info("removed role that was left", "role", id, "function", name.String())
	return nil
}

// withRoles returns the names of the managed roles that the listed functions have,
// or may have.
func (l *listing) withRoles(ctx context.Context, region string) (map[string]bool, error) {
	select {
	case l.hold <- struct{}{}:
		defer func() { <-l.hold }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	known := map[string]bool{}
	for name, e := range l.all {
		if f := e.found; f.damaged != nil || f.state() != settled || f.doc.hasManagedRole() {
			known[roleName(name, region)] = true
		}
	}
	return known, nil
}
