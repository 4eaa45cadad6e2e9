package iam

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

type (
	tags struct {
		Tags        []tag
		IsTruncated bool
	}
	attached struct {
		AttachedPolicies []attachedPolicy
		IsTruncated      bool
	}
	attachedPolicy struct{ PolicyName, PolicyArn string }
)

// registerChanges adds what changes a role that is there: who may assume it, its tags, its boundary and the managed policies that are attached. The
// embedded AWS has no managed policies: it takes any ARN of one, and the simulation knows nothing of them.
func (s *store) registerChanges(api *wire.Service) {
	change := func(operation string, check func(in *request) error, do func(next *principal, in *request)) {
		wire.Handle(api, operation, func(ctx context.Context, in *request) (nothing, error) {
			if err := check(in); err != nil {
				return nothing{}, err
			}
			return nothing{}, s.change(ctx, in.RoleName, func(next *principal) { do(next, in) })
		})
	}
	fine := func(*request) error { return nil }
	change("UpdateAssumeRolePolicy", func(in *request) error { _, err := parse(in.PolicyDocument); return err },
		func(next *principal, in *request) { next.Trust = in.PolicyDocument })
	change("TagRole", fine, func(next *principal, in *request) { next.Tags = tagged(next.Tags, in.Tags) })
	change("UntagRole", fine, func(next *principal, in *request) {
		next.Tags = maps.Clone(next.Tags)
		for _, key := range in.TagKeys {
			delete(next.Tags, key)
		}
	})
	change("PutRolePermissionsBoundary", func(in *request) error { return checkBoundary(cmp.Or(in.PermissionsBoundary, "none")) },
		func(next *principal, in *request) { next.Boundary = in.PermissionsBoundary })
	change("DeleteRolePermissionsBoundary", fine, func(next *principal, _ *request) { next.Boundary = "" })
	change("AttachRolePolicy", func(in *request) error { return checkBoundary(cmp.Or(in.PolicyArn, "none")) },
		func(next *principal, in *request) {
			if !slices.Contains(next.Attached, in.PolicyArn) {
				next.Attached = append(slices.Clone(next.Attached), in.PolicyArn)
			}
		})
	wire.Handle(api, "DetachRolePolicy", s.detach)
	wire.Handle(api, "ListRoleTags", func(ctx context.Context, in *request) (tags, error) {
		p, err := s.role(ctx, in.RoleName)
		if err != nil {
			return tags{}, err
		}
		return tags{Tags: p.tags()}, nil
	})
	wire.Handle(api, "ListAttachedRolePolicies", func(ctx context.Context, in *request) (attached, error) {
		p, err := s.role(ctx, in.RoleName)
		if err != nil {
			return attached{}, err
		}
		var out attached
		for _, arn := range p.Attached {
			out.AttachedPolicies = append(out.AttachedPolicies, attachedPolicy{managedPolicy.FindStringSubmatch(arn)[1], arn})
		}
		return out, nil
	})
}

func (s *store) detach(ctx context.Context, in *request) (nothing, error) {
	p, err := s.role(ctx, in.RoleName)
	if err != nil {
		return nothing{}, err
	}
	if !slices.Contains(p.Attached, in.PolicyArn) {
		return nothing{}, &wire.Error{Status: http.StatusNotFound, Code: "NoSuchEntity", Message: "Policy " + in.PolicyArn + " was not found."}
	}
	return nothing{}, s.change(ctx, in.RoleName, func(next *principal) {
		next.Attached = slices.DeleteFunc(slices.Clone(next.Attached), func(arn string) bool { return arn == in.PolicyArn })
	})
}

// role returns the role of a name; it is never changed in place.
func (s *store) role(ctx context.Context, name string) (*principal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.called(s.account(ctx), "role", name)
}

// change keeps a role as do makes it of a copy.
func (s *store) change(ctx context.Context, name string, do func(next *principal)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.called(s.account(ctx), "role", name)
	if err != nil {
		return err
	}
	next := *p
	do(&next)
	return s.put(&next)
}

func tagged(before map[string]string, more []tag) map[string]string {
	out := maps.Clone(before)
	for _, t := range more {
		if out == nil {
			out = map[string]string{}
		}
		out[t.Key] = t.Value
	}
	return out
}

var managedPolicy = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(?:\d{12}|aws):policy/(?:[\w+=,.@-]+/)*([\w+=,.@-]{1,128})$`)

// checkBoundary refuses what is no ARN of a managed policy; empty is none.
func checkBoundary(arn string) error {
	if arn == "" || managedPolicy.MatchString(arn) {
		return nil
	}
	return wire.Refuse("ValidationError", "ARN %s is not valid.", arn)
}

// maxListed is how many roles one answer has unless it is asked for fewer.
const maxListed = 100

// listRoles tells roles without their tags and boundaries, as IAM does (API reference, ListRoles).
func (s *store) listRoles(ctx context.Context, in *request) (listed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.roles(s.account(ctx), in.PathPrefix)
	from, size := 0, maxListed
	if in.Marker != "" {
		var err error
		if from, err = strconv.Atoi(in.Marker); err != nil || from < 0 || from > len(all) {
			return listed{}, wire.Refuse("ValidationError", "The specified value for marker is invalid.")
		}
	}
	if in.MaxItems > 0 {
		size = min(in.MaxItems, 1000)
	}
	var out listed
	for _, p := range all[from:min(from+size, len(all))] {
		told := p.told()
		told.Tags, told.PermissionsBoundary = nil, nil
		out.Roles = append(out.Roles, told)
	}
	if from+size < len(all) {
		out.IsTruncated, out.Marker = true, strconv.Itoa(from+size)
	}
	return out, nil
}

var (
	nameRegexp = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
	pathRegexp = regexp.MustCompile(`^/([\w+=,.@-]+/)*$`)
)

func (s *store) createRole(ctx context.Context, in *request) (roleAnswer, error) {
	path := cmp.Or(in.Path, "/")
	switch {
	case !nameRegexp.MatchString(in.RoleName):
		return roleAnswer{}, wire.Refuse("ValidationError", "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-")
	case !pathRegexp.MatchString(path):
		return roleAnswer{}, wire.Refuse("ValidationError", "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	if _, err := parse(in.AssumeRolePolicyDocument); err != nil {
		return roleAnswer{}, err
	}
	if err := checkBoundary(in.PermissionsBoundary); err != nil {
		return roleAnswer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	account := s.account(ctx)
	if _, err := s.called(account, "role", in.RoleName); err == nil {
		return roleAnswer{}, &wire.Error{Status: http.StatusConflict, Code: "EntityAlreadyExists", Message: "Role with name " + in.RoleName + " already exists."}
	}
	p := &principal{
		ARN: "arn:aws:iam::" + account + ":role" + path + in.RoleName, ID: newID("AROA"), Path: path, Name: in.RoleName, Created: time.Now().UTC(),
		Trust: in.AssumeRolePolicyDocument, About: in.Description, Boundary: in.PermissionsBoundary, Tags: tagged(nil, in.Tags),
	}
	return roleAnswer{p.told()}, s.put(p)
}

func (s *store) deleteRole(ctx context.Context, in *request) (nothing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.called(s.account(ctx), "role", in.RoleName)
	switch {
	case err != nil:
		return nothing{}, err
	case len(p.Policies) > 0:
		return nothing{}, &wire.Error{Status: http.StatusConflict, Code: "DeleteConflict", Message: "Cannot delete entity, must delete policies first."}
	case len(p.Attached) > 0:
		return nothing{}, &wire.Error{Status: http.StatusConflict, Code: "DeleteConflict", Message: "Cannot delete entity, must detach all policies first."}
	}
	next := maps.Clone(s.all)
	delete(next, p.ARN)
	return nothing{}, s.replace(next)
}
