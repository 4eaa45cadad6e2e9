package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/secrets"
)

// ManagedRole in the place of a role's ARN means a role of each function's own,
// that the provider makes, keeps and removes with the function.
const ManagedRole = annotations.ManagedRole

// rolePolicy is the name of the one inline policy of a managed role.
const rolePolicy = "faas-lambda"

// maxRoleName is IAM's (docs.aws.amazon.com/IAM, "IAM and AWS STS quotas").
const maxRoleName = 64

// managedRole is what a record keeps of a role that is managed: with the
// deployment itself, all that its policy depends on.
type managedRole struct {
	Store string   `json:"store,omitempty"` // of the function's secrets
	Keys  []string `json:"keys,omitempty"`  // that encrypt them
}

// roleName is what the role of a function is called. Names are those of the whole
// account, in all regions and paths, and do not differ by case alone
// (docs.aws.amazon.com/IAM, "IAM identifiers").
func roleName(name backend.Name, region string) string {
	long := name.Function + "." + name.Namespace + "." + region
	if len(long) <= maxRoleName && strings.ToLower(long) == long {
		return long
	}
	sum := sha256.Sum256([]byte(long))
	hash := "." + hex.EncodeToString(sum[:8])
	return long[:min(len(long), maxRoleName-len(hash))] + hash
}

// rolePath is where the managed roles of a region are.
func (b *Backend) rolePath(region string) string { return b.opts.RolePath + region + "/" }

// functionRole is the managed role of one function. Whoever changes it has
// claimed the function, or is about to make it.
type functionRole struct {
	account  *account
	place    policy.Place
	name     backend.Name
	function string // its name in Lambda
	id       string // the role's name in IAM
	path     string
	boundary string // ARN; empty: none
}

// roleOf returns the managed role of a function, whether or not there is one.
func (b *Backend) roleOf(ctx context.Context, a *account, name backend.Name, function string) (*functionRole, error) {
	place, err := a.place(ctx)
	if err != nil {
		return nil, err
	}
	place.RoleBoundary = b.opts.RoleBoundary
	return &functionRole{
		account: a, place: place, name: name, function: function,
		id: roleName(name, a.config.Region), path: b.rolePath(a.config.Region), boundary: place.Boundary(),
	}, nil
}

func (r *functionRole) arn() string {
	return "arn:" + r.place.Partition + ":iam::" + r.place.Account + ":role" + r.path + r.id
}

func (r *functionRole) doing(what string) string {
	return what + " role " + r.id + " of function " + r.name.String()
}

// ensure brings the role to what it should be, and makes it when it is missing.
func (r *functionRole) ensure(ctx context.Context, allowed policy.Document) error {
	r.account.roles.used()
	is, err := r.read(ctx)
	if err == nil && is == nil {
		err = r.create(ctx)
	} else if err == nil {
		err = r.mend(ctx, is)
	}
	if err != nil {
		return err
	}
	return r.allow(ctx, allowed)
}

// read returns the role, nil when there is none. One that the provider did not
// make for this function is an ErrConflict.
func (r *functionRole) read(ctx context.Context) (*iamtypes.Role, error) {
	out, err := r.account.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &r.id})
	if isGone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, awserr.Wrap(r.doing("read"), err)
	}
	tags := roleTags(out.Role.Tags)
	if tags[tagService] != r.name.Function || tags[tagNamespace] != r.name.Namespace {
		return nil, backend.Errorf(backend.ErrConflict, "%s: it was not made by faas-lambda: it is left alone", r.doing("use"))
	}
	return out.Role, nil
}

// isGone tells that there is no such role or policy.
func isGone(err error) bool {
	return awserr.Code(err) == "NoSuchEntity" || awserr.Code(err) == "NoSuchEntityException"
}

// Tags of a managed role beside tagService and tagNamespace.
const tagFunction = "faas-lambda:function" // name in Lambda

func roleTags(tags []iamtypes.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}

func (r *functionRole) create(ctx context.Context) error {
	trust, err := json.Marshal(policy.Trust(r.place))
	if err != nil {
		return fmt.Errorf("%s: %w", r.doing("create"), err)
	}
	in := &iam.CreateRoleInput{
		RoleName: &r.id, Path: &r.path, AssumeRolePolicyDocument: aws.String(string(trust)), Description: aws.String("Runs function " + r.name.String() + "; kept by faas-lambda"),
	}
	if r.boundary != "" {
		in.PermissionsBoundary = &r.boundary
	}
	for key, value := range map[string]string{tagService: r.name.Function, tagNamespace: r.name.Namespace, tagFunction: r.function} {
		in.Tags = append(in.Tags, iamtypes.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	_, err = r.account.iam.CreateRole(ctx, in)
	if awserr.Code(err) == "EntityAlreadyExists" { // of an attempt whose answer was lost, or by another provider
		is, readErr := r.read(ctx)
		if readErr == nil && is != nil {
			return r.mend(ctx, is)
		}
		return errors.Join(awserr.Wrap(r.doing("create"), err), readErr)
	}
	return awserr.Wrap(r.doing("create"), err)
}

// mend brings who may take the role, and what bounds it, to what they should be.
func (r *functionRole) mend(ctx context.Context, is *iamtypes.Role) error {
	if arn := aws.ToString(is.Arn); arn != r.arn() {
		return backend.Errorf(backend.ErrInvalid, "%s: it is there as %s, and IAM moves no role to another path: delete the function first, or keep managed_role_path", r.doing("use"), arn)
	}
	if want := policy.Trust(r.place); !want.Is(aws.ToString(is.AssumeRolePolicyDocument)) {
		text, err := json.Marshal(want)
		if err == nil {
			_, err = r.account.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &r.id, PolicyDocument: aws.String(string(text))})
		}
		if err != nil {
			return awserr.Wrap(r.doing("change"), err)
		}
	}
	bound := ""
	if is.PermissionsBoundary != nil {
		bound = aws.ToString(is.PermissionsBoundary.PermissionsBoundaryArn)
	}
	var err error
	switch {
	case bound == r.boundary:
	case r.boundary == "":
		_, err = r.account.iam.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: &r.id})
	default:
		_, err = r.account.iam.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: &r.id, PermissionsBoundary: &r.boundary})
	}
	return awserr.Wrap(r.doing("set boundary of"), err)
}

// roleSettling is how long IAM may take to show a role or its policy to Lambda:
// seconds, as a rule (docs.aws.amazon.com/IAM, "Changes that I make are not always
// immediately visible").
const roleSettling = time.Minute

// inRole repeats what Lambda refuses because IAM does not show it yet the role, or
// what the role may do. Before each attempt, prepare sees to it that it is there.
func (b *Backend) inRole(ctx context.Context, prepare, do func(context.Context) error) error {
	until := time.Now().Add(min(roleSettling, b.opts.DeployTimeout))
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := prepare(ctx)
		if err == nil {
			err = do(ctx)
		}
		if !roleUnsettled(err) || !time.Now().Add(wait).Before(until) {
			return err
		}
		if pauseErr := clock.Pause(ctx, wait); pauseErr != nil {
			return errors.Join(err, pauseErr)
		}
	}
}

// roleUnsettled tells that IAM itself does not see the role yet, and Lambda's
// refusal of one that it does not see, or whose policy it does not see (recorded:
// "The role defined for the function cannot be assumed by Lambda.", "The provided
// execution role does not have permissions to call …"), and a function that may not
// read its secrets.
func roleUnsettled(err error) bool {
	var failed *backend.FunctionError
	if errors.As(err, &failed) {
		return strings.Contains(failed.Message, "AccessDenied")
	}
	return isGone(err) || awserr.Code(err) == "InvalidParameterValueException" &&
		(strings.Contains(err.Error(), "cannot be assumed by Lambda") || strings.Contains(err.Error(), "execution role does not have permissions"))
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
