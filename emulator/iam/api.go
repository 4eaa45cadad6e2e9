package iam

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// request is what the operations on roles and users say.
type request struct {
	RoleName, UserName       string
	Path, PathPrefix         string
	Description              string
	AssumeRolePolicyDocument string
	PolicyName               string
	PolicyDocument           string
}

type role struct {
	Path                     string
	RoleName                 string
	RoleId                   string //nolint:revive // AWS's name of it
	Arn                      string
	CreateDate               wire.Time
	AssumeRolePolicyDocument string
	Description              string `json:",omitempty"`
	MaxSessionDuration       int
}

// told is a role as the API tells it: documents are URL-encoded (API reference, GetRole).
func (p *principal) told() role {
	return role{
		Path: p.Path, RoleName: p.Name, RoleId: p.ID, Arn: p.ARN, CreateDate: wire.Time{Time: p.Created}, Description: p.About,
		AssumeRolePolicyDocument: url.QueryEscape(p.Trust), MaxSessionDuration: 3600,
	}
}

type (
	roleAnswer struct{ Role role }
	nothing    struct{}
	listed     struct {
		Roles       []role
		IsTruncated bool
	}
	policyNames struct {
		PolicyNames []string
		IsTruncated bool
	}
	policyAnswer struct {
		RoleName       string `json:",omitempty"`
		UserName       string `json:",omitempty"`
		PolicyName     string
		PolicyDocument string
	}
)

func (s *store) register(api *wire.Service) {
	wire.Handle(api, "CreateRole", s.createRole)
	wire.Handle(api, "GetRole", func(ctx context.Context, in *request) (roleAnswer, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		p, err := s.called(s.account(ctx), "role", in.RoleName)
		if err != nil {
			return roleAnswer{}, err
		}
		return roleAnswer{p.told()}, nil
	})
	wire.Handle(api, "ListRoles", func(ctx context.Context, in *request) (listed, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var out listed
		for _, p := range s.roles(s.account(ctx), in.PathPrefix) {
			out.Roles = append(out.Roles, p.told())
		}
		return out, nil
	})
	wire.Handle(api, "DeleteRole", s.deleteRole)
	for kind, word := range map[string]string{"role": "Role", "user": "User"} {
		wire.Handle(api, "Put"+word+"Policy", func(ctx context.Context, in *request) (nothing, error) {
			if _, err := parse(in.PolicyDocument); err != nil {
				return nothing{}, err
			}
			return nothing{}, s.edit(ctx, kind, in, func(policies map[string]string) error {
				delete(policies, "AdministratorAccess") // what the user of the start has until somebody says otherwise
				policies[in.PolicyName] = in.PolicyDocument
				return nil
			})
		})
		wire.Handle(api, "Delete"+word+"Policy", func(ctx context.Context, in *request) (nothing, error) {
			return nothing{}, s.edit(ctx, kind, in, func(policies map[string]string) error {
				if policies[in.PolicyName] == "" {
					return noPolicy(kind, in)
				}
				delete(policies, in.PolicyName)
				return nil
			})
		})
		wire.Handle(api, "Get"+word+"Policy", func(ctx context.Context, in *request) (policyAnswer, error) {
			policies, err := s.policies(ctx, kind, in)
			if err == nil && policies[in.PolicyName] == "" {
				err = noPolicy(kind, in)
			}
			return policyAnswer{in.RoleName, in.UserName, in.PolicyName, url.QueryEscape(policies[in.PolicyName])}, err
		})
		wire.Handle(api, "List"+word+"Policies", func(ctx context.Context, in *request) (policyNames, error) {
			policies, err := s.policies(ctx, kind, in)
			return policyNames{PolicyNames: slices.Sorted(maps.Keys(policies))}, err
		})
	}
}

func noPolicy(kind string, in *request) error {
	return &wire.Error{Status: http.StatusNotFound, Code: "NoSuchEntity",
		Message: fmt.Sprintf("The %s policy with name %s cannot be found.", kind, in.PolicyName)}
}

// policies are those of the role or user that a request names.
func (s *store) policies(ctx context.Context, kind string, in *request) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.called(s.account(ctx), kind, cmp.Or(in.RoleName, in.UserName))
	if err != nil {
		return nil, err
	}
	return p.Policies, nil
}

// edit changes the policies of a role or user.
func (s *store) edit(ctx context.Context, kind string, in *request, change func(map[string]string) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.called(s.account(ctx), kind, cmp.Or(in.RoleName, in.UserName))
	if err != nil {
		return err
	}
	next := *p
	if next.Policies = maps.Clone(p.Policies); next.Policies == nil {
		next.Policies = map[string]string{}
	}
	if err := change(next.Policies); err != nil {
		return err
	}
	return s.put(&next)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	account := s.account(ctx)
	if _, err := s.called(account, "role", in.RoleName); err == nil {
		return roleAnswer{}, &wire.Error{Status: http.StatusConflict, Code: "EntityAlreadyExists", Message: "Role with name " + in.RoleName + " already exists."}
	}
	p := &principal{
		ARN: "arn:aws:iam::" + account + ":role" + path + in.RoleName, ID: newID("AROA"), Path: path, Name: in.RoleName, Created: time.Now().UTC(),
		Trust: in.AssumeRolePolicyDocument, About: in.Description,
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
	}
	next := maps.Clone(s.all)
	delete(next, p.ARN)
	return nothing{}, s.replace(next)
}
