package roles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
)

// Role is the managed role of one function, whether or not there is one. Whoever
// changes it has claimed the function, or is about to make it.
type Role struct {
	keeper   *Keeper
	place    policy.Place
	name     backend.Name
	function string // its name in Lambda
	id       string // the role's name in IAM
	boundary string // ARN; empty: none
}

// Role returns the managed role of the function of that name, which is called function
// in Lambda. Of place, its partition, region and account count.
func (k *Keeper) Role(place policy.Place, name backend.Name, function string) *Role {
	place.RoleBoundary = k.boundary
	return &Role{keeper: k, place: place, name: name, function: function, id: k.ID(name), boundary: place.Boundary()}
}

// ARN is what functions run as that have the role.
func (r *Role) ARN() string {
	return "arn:" + r.place.Partition + ":iam::" + r.place.Account + ":role" + r.keeper.path + r.id
}

func (r *Role) doing(what string) string {
	return what + " role " + r.id + " of function " + r.name.String()
}

// Ensure brings the role to what it should be, with that policy, and makes it when it
// is missing. A role of that name that the provider did not make for the function is
// backend.ErrConflict, one at another path backend.ErrInvalid; both are left alone.
func (r *Role) Ensure(ctx context.Context, allowed policy.Document) error {
	r.keeper.Used()
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
func (r *Role) read(ctx context.Context) (*iamtypes.Role, error) {
	out, err := r.keeper.client.GetRole(ctx, &iam.GetRoleInput{RoleName: &r.id})
	if isGone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, awserr.Wrap(r.doing("read"), err)
	}
	tags := tagsOf(out.Role.Tags)
	if tags[tagService] != r.name.Function || tags[tagNamespace] != r.name.Namespace {
		return nil, backend.Errorf(backend.ErrConflict, "%s: it was not made by faas-lambda: it is left alone", r.doing("use"))
	}
	return out.Role, nil
}

// isGone tells that there is no such role or policy.
func isGone(err error) bool {
	return awserr.Code(err) == "NoSuchEntity" || awserr.Code(err) == "NoSuchEntityException"
}

// Tags of a managed role: the function that it is of.
const (
	tagService   = policy.OwnTag           // the OpenFaaS name
	tagNamespace = "faas-lambda:namespace" //
	tagFunction  = "faas-lambda:function"  // name in Lambda
)

func tagsOf(tags []iamtypes.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}

func (r *Role) create(ctx context.Context) error {
	trust, err := json.Marshal(policy.Trust(r.place))
	if err != nil {
		return fmt.Errorf("%s: %w", r.doing("create"), err)
	}
	in := &iam.CreateRoleInput{
		RoleName: &r.id, Path: &r.keeper.path, AssumeRolePolicyDocument: aws.String(string(trust)), Description: aws.String("Runs function " + r.name.String() + "; kept by faas-lambda"),
	}
	if r.boundary != "" {
		in.PermissionsBoundary = &r.boundary
	}
	for key, value := range map[string]string{tagService: r.name.Function, tagNamespace: r.name.Namespace, tagFunction: r.function} {
		in.Tags = append(in.Tags, iamtypes.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	_, err = r.keeper.client.CreateRole(ctx, in)
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
func (r *Role) mend(ctx context.Context, is *iamtypes.Role) error {
	if arn := aws.ToString(is.Arn); arn != r.ARN() {
		return backend.Errorf(backend.ErrInvalid, "%s: it is there as %s, and IAM moves no role to another path: delete the function first, or keep managed_role_path", r.doing("use"), arn)
	}
	if want := policy.Trust(r.place); !want.Is(aws.ToString(is.AssumeRolePolicyDocument)) {
		text, err := json.Marshal(want)
		if err == nil {
			_, err = r.keeper.client.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &r.id, PolicyDocument: aws.String(string(text))})
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
		_, err = r.keeper.client.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: &r.id})
	default:
		_, err = r.keeper.client.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: &r.id, PermissionsBoundary: &r.boundary})
	}
	return awserr.Wrap(r.doing("set boundary of"), err)
}
