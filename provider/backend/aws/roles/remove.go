package roles

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// Remove removes the role with all that anybody attached to it. One that the
// provider did not make is left alone.
func (r *Role) Remove(ctx context.Context) error {
	r.keeper.Used()
	is, err := r.read(ctx)
	if errors.Is(err, backend.ErrConflict) || err == nil && is == nil {
		return nil
	}
	if err == nil {
		err = errors.Join(r.strip(ctx), r.detach(ctx))
	}
	if err == nil {
		_, err = r.keeper.client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &r.id})
		err = awserr.Wrap(r.doing("remove"), unlessGone(err))
	}
	if err != nil {
		r.keeper.again(0)
	}
	return err
}

// strip removes the role's inline policies.
func (r *Role) strip(ctx context.Context) error {
	pages := iam.NewListRolePoliciesPaginator(r.keeper.client, &iam.ListRolePoliciesInput{RoleName: &r.id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return awserr.Wrap(r.doing("list policies of"), unlessGone(err))
		}
		for _, policy := range page.PolicyNames {
			_, err := r.keeper.client.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &r.id, PolicyName: &policy})
			if unlessGone(err) != nil {
				return awserr.Wrap(r.doing("remove policy of"), err)
			}
		}
	}
	return nil
}

// detach detaches managed policies, which somebody else attached.
func (r *Role) detach(ctx context.Context) error {
	pages := iam.NewListAttachedRolePoliciesPaginator(r.keeper.client, &iam.ListAttachedRolePoliciesInput{RoleName: &r.id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return awserr.Wrap(r.doing("list policies of"), unlessGone(err))
		}
		for _, policy := range page.AttachedPolicies {
			_, err := r.keeper.client.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &r.id, PolicyArn: policy.PolicyArn})
			if unlessGone(err) != nil {
				return awserr.Wrap(r.doing("detach policy of"), err)
			}
		}
	}
	return nil
}

func unlessGone(err error) error {
	if isGone(err) {
		return nil
	}
	return err
}
