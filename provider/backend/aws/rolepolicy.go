package aws

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// policy is what a deployment in the role may do.
func (r *functionRole) policy(of record) (Policy, error) {
	d := of.Deployed
	d.Service, d.Namespace = r.name.Function, r.name.Namespace
	return FunctionPolicy(r.place, Grants{Function: r.function, Deployed: d, Store: of.Managed.Store, Keys: of.Managed.Keys})
}

// samePolicy tells whether a document, as IAM tells it, says the same. IAM may
// write a list of one thing as that thing, and lists in another order.
func samePolicy(document string, want Policy) bool {
	text, err := url.PathUnescape(document)
	if err != nil {
		return false
	}
	wanted, err := json.Marshal(want)
	if err != nil {
		return false
	}
	var is, be any
	return json.Unmarshal([]byte(text), &is) == nil && json.Unmarshal(wanted, &be) == nil && reflect.DeepEqual(canonical(is), canonical(be))
}

// canonical is a value of JSON in which lists of one thing are that thing, and
// lists of text are sorted.
func canonical(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = canonical(v[key])
		}
	case []any:
		for i := range v {
			v[i] = canonical(v[i])
		}
		if len(v) == 1 {
			return v[0]
		}
		slices.SortStableFunc(v, func(a, b any) int {
			one, _ := a.(string)
			two, _ := b.(string)
			return strings.Compare(one, two)
		})
	}
	return value
}

// allow makes policy the role's.
func (r *functionRole) allow(ctx context.Context, policy Policy) error {
	out, err := r.account.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &r.id, PolicyName: aws.String(rolePolicy)})
	if err != nil && !isGone(err) {
		return awserr.Wrap(r.doing("read policy of"), err)
	}
	if err == nil && samePolicy(aws.ToString(out.PolicyDocument), policy) {
		return nil
	}
	text, err := json.Marshal(policy)
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
