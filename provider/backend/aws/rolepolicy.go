package aws

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
)

// policy is what a deployment in the role may do.
func (r *functionRole) policy(of record) (policy.Document, error) {
	d := of.Deployed
	d.Service, d.Namespace = r.name.Function, r.name.Namespace
	return policy.ForFunction(r.place, policy.Grants{Function: r.function, Deployed: d, Store: of.Managed.Store, Keys: of.Managed.Keys})
}

// allow makes a policy the role's.
func (r *functionRole) allow(ctx context.Context, allowed policy.Document) error {
	out, err := r.account.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &r.id, PolicyName: aws.String(rolePolicy)})
	if err != nil && !isGone(err) {
		return awserr.Wrap(r.doing("read policy of"), err)
	}
	if err == nil && allowed.Is(aws.ToString(out.PolicyDocument)) {
		return nil
	}
	text, err := json.Marshal(allowed)
	if err == nil {
		_, err = r.account.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &r.id, PolicyName: aws.String(rolePolicy), PolicyDocument: aws.String(string(text))})
	}
	return awserr.Wrap(r.doing("set policy of"), err)
}

// forbid leaves the role without permissions: what serves is in another role, and
// what is kept for a rollback may need this one again.
func (r *functionRole) forbid(ctx context.Context) error {
	_, err := r.account.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &r.id, PolicyName: aws.String(rolePolicy)})
	if isGone(err) {
		return nil
	}
	return awserr.Wrap(r.doing("remove policy of"), err)
}
