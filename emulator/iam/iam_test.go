package iam

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"
)

const (
	account = "123456789012"
	trust   = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}`
)

func client(t *testing.T, dir string) *iam.Client {
	t.Helper()
	api, err := Open(Options{Dir: dir, User: "local", Account: func(string) string { return account }})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(api)
	t.Cleanup(s.Close)
	return iam.New(iam.Options{BaseEndpoint: &s.URL, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != code {
		t.Errorf("error = %v, want %s", err, code)
	}
}

func TestRoles(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	c := client(t, dir)
	in := &iam.CreateRoleInput{RoleName: aws.String("provider"), Path: aws.String("/team/"), AssumeRolePolicyDocument: aws.String(trust)}
	made, err := c.CreateRole(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if *made.Role.Arn != "arn:aws:iam::"+account+":role/team/provider" || !strings.HasPrefix(*made.Role.RoleId, "AROA") {
		t.Errorf("made %+v", made.Role)
	}
	_, err = c.CreateRole(ctx, in)
	wantCode(t, err, "EntityAlreadyExists")
	_, err = c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("a/b"), AssumeRolePolicyDocument: aws.String(trust)})
	wantCode(t, err, "ValidationError")
	_, err = c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("b"), AssumeRolePolicyDocument: aws.String("{")})
	wantCode(t, err, "MalformedPolicyDocument")
	put := &iam.PutRolePolicyInput{RoleName: aws.String("provider"), PolicyName: aws.String("p"), PolicyDocument: aws.String(everything)}
	if _, err := c.PutRolePolicy(ctx, put); err != nil {
		t.Fatal(err)
	}
	c = client(t, dir) // as after a restart
	got, err := c.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("provider")})
	if err != nil {
		t.Fatal(err)
	}
	if document, err := url.QueryUnescape(*got.Role.AssumeRolePolicyDocument); err != nil || document != trust {
		t.Errorf("trust is %s, %v", document, err)
	}
	names, err := c.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: aws.String("provider")})
	if err != nil || len(names.PolicyNames) != 1 || names.PolicyNames[0] != "p" {
		t.Errorf("policies: %+v, %v", names, err)
	}
	list, err := c.ListRoles(ctx, &iam.ListRolesInput{PathPrefix: aws.String("/team/")})
	if err != nil || len(list.Roles) != 1 {
		t.Errorf("roles: %+v, %v", list, err)
	}
	_, err = c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("provider")})
	wantCode(t, err, "DeleteConflict")
	if _, err := c.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String("provider"), PolicyName: aws.String("p")}); err != nil {
		t.Error(err)
	}
	if _, err := c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("provider")}); err != nil {
		t.Error(err)
	}
	_, err = c.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("provider")})
	wantCode(t, err, "NoSuchEntity")
}

// What a role has beside its policies: who may assume it, tags, a boundary, managed policies. It goes when nothing is attached any more.
func TestChangesOfRoles(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	c := client(t, dir)
	name, bound, attached := aws.String("fn"), "arn:aws:iam::"+account+":policy/bound", aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")
	_, err := c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(trust), PermissionsBoundary: &bound, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}})
	if err != nil {
		t.Fatal(err)
	}
	spaced := strings.ReplaceAll(trust, ":", ": ")
	for what, do := range map[string]func() error{
		"trust": func() error {
			_, err := c.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: &spaced})
			return err
		},
		"tag": func() error {
			_, err := c.TagRole(ctx, &iam.TagRoleInput{RoleName: name, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}})
			return err
		},
		"attach": func() error {
			_, err := c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: attached})
			return err
		},
	} {
		if err := do(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = c.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: aws.String("bound")})
	wantCode(t, err, "ValidationError")
	c = client(t, dir) // as after a restart
	got, err := c.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := url.PathUnescape(*got.Role.AssumeRolePolicyDocument); err != nil || text != spaced {
		t.Errorf("trust is %s, %v", text, err)
	}
	if len(got.Role.Tags) != 2 || *got.Role.Tags[1].Value != "2" || got.Role.PermissionsBoundary == nil || *got.Role.PermissionsBoundary.PermissionsBoundaryArn != bound {
		t.Errorf("role is %+v", got.Role)
	}
	tags, err := c.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: name})
	if err != nil || len(tags.Tags) != 2 {
		t.Errorf("tags: %+v, %v", tags, err)
	}
	if _, err := c.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: name}); err != nil {
		t.Error(err)
	}
	_, err = c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	wantCode(t, err, "DeleteConflict")
	list, err := c.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name})
	if err != nil || len(list.AttachedPolicies) != 1 || *list.AttachedPolicies[0].PolicyName != "ReadOnlyAccess" {
		t.Errorf("attached: %+v, %v", list, err)
	}
	detach := &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: attached}
	if _, err := c.DetachRolePolicy(ctx, detach); err != nil {
		t.Error(err)
	}
	_, err = c.DetachRolePolicy(ctx, detach)
	wantCode(t, err, "NoSuchEntity")
	big := aws.String(strings.Replace(everything, `"*"`, `"`+strings.Repeat("x", 11_000)+`"`, 1))
	_, err = c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("p"), PolicyDocument: big})
	wantCode(t, err, "LimitExceeded")
	if _, err := c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}); err != nil {
		t.Error(err)
	}
}

// Roles are listed in pages, by path.
func TestListOfRoles(t *testing.T) {
	ctx, c := t.Context(), client(t, t.TempDir())
	for _, name := range []string{"a", "b", "c", "d"} {
		path := "/ours/"
		if name == "d" {
			path = "/theirs/"
		}
		if _, err := c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, Path: &path, AssumeRolePolicyDocument: aws.String(trust)}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	pages := iam.NewListRolesPaginator(c, &iam.ListRolesInput{PathPrefix: aws.String("/ours/"), MaxItems: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Roles {
			names = append(names, *r.RoleName)
		}
	}
	if strings.Join(names, "") != "abc" {
		t.Errorf("roles %v", names)
	}
}

// What is decided of an action, by one policy (docs.aws.amazon.com/IAM, "Policy evaluation logic").
func TestSimulation(t *testing.T) {
	c := client(t, t.TempDir())
	statement := func(inside string) string { return `{"Version":"2012-10-17","Statement":[` + inside + `]}` }
	allow := func(rest string) string { return `{"Effect":"Allow",` + rest + `}` }
	functions := allow(`"Action":["lambda:Get*","lambda:InvokeFunction"],"Resource":"arn:aws:lambda:*:*:function:*"`)
	ours := allow(`"Action":"lambda:DeleteFunction","Resource":"*","Condition":{"Null":{"aws:ResourceTag/t":["false"]}}`)
	pass := allow(`"Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}`)
	const f = "arn:aws:lambda:eu-central-1:123456789012:function:f"
	for _, d := range []struct {
		name, policy, action, resource string
		context                        map[string]string
		want                           types.PolicyEvaluationDecisionType
	}{
		{"nothing about it", statement(functions), "s3:GetObject", f, nil, "implicitDeny"},
		{"by wildcard", statement(functions), "lambda:GetFunction", f, nil, "allowed"},
		{"by another case", statement(functions), "LAMBDA:getfunction", f, nil, "allowed"},
		{"on another resource", statement(functions), "lambda:GetFunction", "arn:aws:s3:::b", nil, "implicitDeny"},
		{"on every resource", statement(functions), "lambda:GetFunction", "", nil, "implicitDeny"},
		{"denied", statement(functions + `,{"Effect":"Deny","Action":"lambda:*","Resource":"*"}`), "lambda:GetFunction", f, nil, "explicitDeny"},
		{"a tag is there", statement(ours), "lambda:DeleteFunction", f, map[string]string{"aws:ResourceTag/t": "1"}, "allowed"},
		{"no tag is there", statement(ours), "lambda:DeleteFunction", f, nil, "implicitDeny"},
		{"the right value", statement(pass), "iam:PassRole", f, map[string]string{"iam:PassedToService": "lambda.amazonaws.com"}, "allowed"},
		{"the wrong value", statement(pass), "iam:PassRole", f, map[string]string{"iam:PassedToService": "ec2.amazonaws.com"}, "implicitDeny"},
		{"no value", statement(pass), "iam:PassRole", f, nil, "implicitDeny"},
		{"all but one action", statement(allow(`"NotAction":"iam:*","Resource":"*"`)), "s3:GetObject", f, nil, "allowed"},
		{"that one", statement(allow(`"NotAction":"iam:*","Resource":"*"`)), "iam:GetRole", f, nil, "implicitDeny"},
		{"not like", statement(allow(`"Action":"*","Resource":"*","Condition":{"StringNotLike":{"k":"a*"}}`)), "s3:GetObject", f, map[string]string{"k": "abc"}, "implicitDeny"},
		{"if it exists", statement(allow(`"Action":"*","Resource":"*","Condition":{"BoolIfExists":{"k":true}}`)), "s3:GetObject", f, nil, "allowed"},
	} {
		in := &iam.SimulateCustomPolicyInput{PolicyInputList: []string{d.policy}, ActionNames: []string{d.action}}
		if d.resource != "" {
			in.ResourceArns = []string{d.resource}
		}
		for key, value := range d.context {
			in.ContextEntries = append(in.ContextEntries, types.ContextEntry{ContextKeyName: &key, ContextKeyValues: []string{value}, ContextKeyType: types.ContextKeyTypeEnumString})
		}
		out, err := c.SimulateCustomPolicy(t.Context(), in)
		if err != nil {
			t.Errorf("%s: %v", d.name, err)
			continue
		}
		if got := out.EvaluationResults[0].EvalDecision; got != d.want {
			t.Errorf("%s: %s, want %s", d.name, got, d.want)
		}
	}
	_, err := c.SimulateCustomPolicy(t.Context(), &iam.SimulateCustomPolicyInput{ActionNames: []string{"s3:GetObject"}, PolicyInputList: []string{
		statement(allow(`"Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`)),
	}})
	wantCode(t, err, "InvalidInput")
}

// The user of the start may do everything until it gets a policy; who is not there cannot be simulated.
func TestSimulationOfPrincipals(t *testing.T) {
	ctx := t.Context()
	c := client(t, t.TempDir())
	local := aws.String("arn:aws:iam::" + account + ":user/local")
	decide := func() types.PolicyEvaluationDecisionType {
		t.Helper()
		count, last := 0, types.PolicyEvaluationDecisionType("")
		pages := iam.NewSimulatePrincipalPolicyPaginator(c, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: local, ActionNames: []string{"a:One", "a:Two", "s3:GetObject"}, MaxItems: aws.Int32(2)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.EvaluationResults {
				count, last = count+1, r.EvalDecision
			}
		}
		if count != 3 {
			t.Errorf("%d results", count)
		}
		return last
	}
	if got := decide(); got != "allowed" {
		t.Errorf("at first: %s", got)
	}
	_, err := c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("local"), PolicyName: aws.String("less"), PolicyDocument: aws.String(strings.Replace(everything, `"*"`, `"lambda:*"`, 1))})
	if err != nil {
		t.Fatal(err)
	}
	if got := decide(); got != "implicitDeny" {
		t.Errorf("with a policy: %s", got)
	}
	for arn, code := range map[string]string{"arn:aws:iam::" + account + ":role/none": "NoSuchEntity", "arn:aws:iam::" + account + ":root": "InvalidInput"} {
		_, err := c.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &arn, ActionNames: []string{"a:One"}})
		wantCode(t, err, code)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(everything, "s3:GetObject", "arn:aws:s3:::b/*")
	f.Add(trust, "sts:AssumeRole", "*")
	f.Fuzz(func(t *testing.T, text, name, resource string) {
		d, err := parse(text)
		if err != nil {
			return
		}
		out := evaluate(map[string]*document{"p": d}, action{name, resource, nil})
		if out.EvalDecision == "" {
			t.Error("no decision")
		}
	})
}
