package iam

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

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
	PolicyArn                string
	PermissionsBoundary      string
	Tags                     []tag
	TagKeys                  []string
	MaxItems                 int
	Marker                   string
}

type tag struct{ Key, Value string }

type role struct {
	Path                     string
	RoleName                 string
	RoleId                   string //nolint:revive // AWS's name of it
	Arn                      string
	CreateDate               wire.Time
	AssumeRolePolicyDocument string
	Description              string `json:",omitempty"`
	MaxSessionDuration       int
	Tags                     []tag     `json:",omitempty"`
	PermissionsBoundary      *boundary `json:",omitempty"`
}

type boundary struct{ PermissionsBoundaryType, PermissionsBoundaryArn string }

// told is a role as the API tells it: documents are URL-encoded (API reference, GetRole).
func (p *principal) told() role {
	out := role{
		Path: p.Path, RoleName: p.Name, RoleId: p.ID, Arn: p.ARN, CreateDate: wire.Time{Time: p.Created}, Description: p.About,
		AssumeRolePolicyDocument: encoded(p.Trust), MaxSessionDuration: 3600, Tags: p.tags(),
	}
	if p.Boundary != "" {
		out.PermissionsBoundary = &boundary{"Policy", p.Boundary}
	}
	return out
}

// encoded is a document as the API tells it (RFC 3986: a space is no plus).
func encoded(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

func (p *principal) tags() []tag {
	var out []tag
	for _, key := range slices.Sorted(maps.Keys(p.Tags)) {
		out = append(out, tag{key, p.Tags[key]})
	}
	return out
}

type (
	roleAnswer struct{ Role role }
	nothing    struct{}
	listed     struct {
		Roles       []role
		IsTruncated bool
		Marker      string `json:",omitempty"`
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
	wire.Handle(api, "ListRoles", s.listRoles)
	wire.Handle(api, "DeleteRole", s.deleteRole)
	s.registerChanges(api)
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
			return policyAnswer{in.RoleName, in.UserName, in.PolicyName, encoded(policies[in.PolicyName])}, err
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
	size := 0
	for _, text := range next.Policies {
		size += len(strings.Join(strings.Fields(text), ""))
	}
	if most := maxInline[kind]; size > most {
		return &wire.Error{Status: http.StatusConflict, Code: "LimitExceeded", Message: fmt.Sprintf("Maximum policy size of %d bytes exceeded for %s %s", most, kind, p.Name)}
	}
	return s.put(&next)
}

// maxInline is how many characters, without white space, all inline policies may have (docs.aws.amazon.com/IAM, "IAM and AWS STS quotas").
var maxInline = map[string]int{"role": 10240, "user": 2048}
