package roles

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
)

// inline is the name of the one inline policy of a managed role.
const inline = "faas-lambda"

// Policy is what a deployment in the role may do; of g, all but the function counts,
// which is the role's.
func (r *Role) Policy(g policy.Grants) (policy.Document, error) {
	g.Function, g.Deployed.Service, g.Deployed.Namespace = r.function, r.name.Function, r.name.Namespace
	return policy.ForFunction(r.place, g)
}

// allow makes a policy the role's.
func (r *Role) allow(ctx context.Context, allowed policy.Document) error {
	out, err := r.keeper.client.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &r.id, PolicyName: aws.String(inline)})
	if err != nil && !isGone(err) {
		return awserr.Wrap(r.doing("read policy of"), err)
	}
	if err == nil && allowed.Is(aws.ToString(out.PolicyDocument)) {
		return nil
	}
	text, err := json.Marshal(allowed)
	if err == nil {
		_, err = r.keeper.client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &r.id, PolicyName: aws.String(inline), PolicyDocument: aws.String(string(text))})
	}
	return awserr.Wrap(r.doing("set policy of"), err)
}

// Forbid leaves the role without permissions: what serves is in another role, and
// what is kept for a rollback may need this one again.
func (r *Role) Forbid(ctx context.Context) error {
	_, err := r.keeper.client.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &r.id, PolicyName: aws.String(inline)})
	if isGone(err) {
		return nil
	}
	return awserr.Wrap(r.doing("remove policy of"), err)
}
