package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/emulator/faults"
	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
)

// roleCloud is a cloud with a provider, and IAM as others see it.
type roleCloud struct {
	*cloud
	*aws.Backend
	iam *iam.Client
}

const managedNamespace = "openfaas-fn"

// newRoleCloud opens a provider. role is what functions run as unless they say
// otherwise.
func newRoleCloud(t *testing.T, role string) *roleCloud {
	t.Helper()
	c := &roleCloud{cloud: newCloud(t)}
	c.runs = started
	c.iam = iam.NewFromConfig(c.config())
	c.Backend = c.provider(t, role, "")
	return c
}

func (c *roleCloud) provider(t *testing.T, role, boundary string) *aws.Backend {
	t.Helper()
	o := c.options(managedNamespace, c.url.String(), time.Minute)
	o.Role, o.RoleBoundary = role, boundary
	b, err := aws.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (c *roleCloud) function(name string, annotations map[string]string, secrets ...string) types.FunctionDeployment {
	return types.FunctionDeployment{Service: name, Namespace: managedNamespace, Image: c.images["old"], EnvProcess: "cat", Annotations: &annotations, Secrets: secrets}
}

var ownRole = map[string]string{"com.openfaas.lambda/role": "managed"}

// roles returns the managed roles, by name.
func (c *roleCloud) roles(t *testing.T) []string {
	t.Helper()
	list, err := c.iam.ListRoles(t.Context(), &iam.ListRolesInput{PathPrefix: awssdk.String("/faas-lambda/" + region + "/")})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range list.Roles {
		names = append(names, *r.RoleName)
	}
	return names
}

// runsAs returns the role that a function runs as.
func (c *roleCloud) runsAs(t *testing.T, function string) string {
	t.Helper()
	out, err := c.lambda.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &function, Qualifier: awssdk.String("live")})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Role
}

// policy returns the policy of a managed role.
func (c *roleCloud) policy(t *testing.T, role string) string {
	t.Helper()
	out, err := c.iam.GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: &role, PolicyName: awssdk.String("faas-lambda")})
	if err != nil {
		t.Fatal(err)
	}
	text, err := url.PathUnescape(*out.PolicyDocument)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// may simulates whether a role may read a secret of the namespace.
func (c *roleCloud) may(t *testing.T, role, secret string) bool {
	t.Helper()
	out, err := c.iam.SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: &role, ActionNames: []string{"secretsmanager:GetSecretValue"},
		ResourceArns: []string{"arn:aws:secretsmanager:" + region + ":" + account + ":secret:faas-lambda/" + managedNamespace + "/" + secret + "-AbCdEf"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.EvaluationResults[0].EvalDecision == iamtypes.PolicyEvaluationDecisionTypeAllowed
}

func (c *roleCloud) deploy(t *testing.T, d types.FunctionDeployment) {
	t.Helper()
	if err := c.Deploy(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// A function in a managed role reads its own secrets and nobody else's, also after
// an update; its role goes with it. One that does not ask for it has none.
func TestManagedRoles(t *testing.T) {
	c := newRoleCloud(t, "arn:aws:iam::"+account+":role/shared")
	for _, name := range []string{"one", "two", "three"} {
		if err := c.CreateSecret(t.Context(), types.Secret{Name: name, Namespace: managedNamespace, Value: "v"}); err != nil {
			t.Fatal(err)
		}
	}
	c.deploy(t, c.function("plain", nil, "one"))
	if got := c.runsAs(t, "plain"); got != "arn:aws:iam::"+account+":role/shared" || len(c.roles(t)) != 0 {
		t.Errorf("a function that asks for no role runs as %s; roles %v", got, c.roles(t))
	}
	c.deploy(t, c.function("a", ownRole, "one"))
	c.deploy(t, c.function("b", ownRole, "two"))
	roles := []string{"a.openfaas-fn." + region, "b.openfaas-fn." + region}
	if got := c.roles(t); !slices.Equal(got, roles) {
		t.Fatalf("roles %v, want %v", got, roles)
	}
	a, b := c.runsAs(t, "a"), c.runsAs(t, "b")
	if a != "arn:aws:iam::"+account+":role/faas-lambda/"+region+"/"+roles[0] {
		t.Errorf("it runs as %s", a)
	}
	if !c.may(t, a, "one") || c.may(t, a, "two") || !c.may(t, b, "two") || c.may(t, b, "one") {
		t.Errorf("a: %s\nb: %s", c.policy(t, roles[0]), c.policy(t, roles[1]))
	}
	c.deploy(t, c.function("a", ownRole, "three"))
	if c.may(t, a, "one") || !c.may(t, a, "three") {
		t.Errorf("after an update: %s", c.policy(t, roles[0]))
	}
	if err := c.Rollback(t.Context(), backend.Name{Namespace: managedNamespace, Function: "a"}, ""); err != nil {
		t.Fatal(err)
	}
	if !c.may(t, a, "one") || c.may(t, a, "three") {
		t.Errorf("after a rollback: %s", c.policy(t, roles[0]))
	}
	for _, name := range []string{"a", "b", "plain"} {
		if err := c.Delete(t.Context(), backend.Name{Namespace: managedNamespace, Function: name}); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.roles(t); len(got) != 0 {
		t.Errorf("roles %v are left", got)
	}
}

// What a managed role may do is what iam prints for the same deployment.
func TestManagedRoleIsWhatIamPrints(t *testing.T) {
	c := newRoleCloud(t, aws.ManagedRole)
	if err := c.CreateSecret(t.Context(), types.Secret{Name: "key", Namespace: managedNamespace, Value: "v"}); err != nil {
		t.Fatal(err)
	}
	annotations := map[string]string{"com.openfaas.lambda/tracing": "Active", "com.openfaas.lambda/on-failure": "arn:aws:sqs:" + region + ":" + account + ":failed"}
	c.deploy(t, c.function("hello", annotations, "key"))
	cmd := iamCommand()
	args := []string{"--function", "hello", "--secret", "key", "--account", account, "--region", region}
	for key, value := range annotations {
		args = append(args, "--annotation", key+"="+value)
	}
	var printed, compact bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&printed)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&compact, printed.Bytes()); err != nil {
		t.Fatal(err)
	}
	if got := c.policy(t, "hello.openfaas-fn."+region); got != compact.String() {
		t.Errorf("the role has\n%s\nand iam prints\n%s", got, compact.String())
	}
}

// A deployment that is repeated changes nothing of its role, and mends what others
// changed of it.
func TestManagedRoleIsKept(t *testing.T) {
	c := newRoleCloud(t, aws.ManagedRole)
	d, role := c.function("kept", nil), awssdk.String("kept.openfaas-fn."+region)
	c.deploy(t, d)
	policy := c.policy(t, *role)
	calls := func() (changes []string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, call := range c.calls["test"] {
			if call.Service == "iam" && !strings.HasPrefix(call.Operation, "Get") && !strings.HasPrefix(call.Operation, "List") {
				changes = append(changes, call.Operation)
			}
		}
		return changes
	}
	before := len(calls())
	c.deploy(t, d)
	if more := calls()[before:]; len(more) > 0 {
		t.Errorf("repeated, it made %v", more)
	}
	everything := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*","Resource":"*"}]}`
	_, err := c.iam.UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: role, PolicyDocument: &everything})
	if err == nil {
		_, err = c.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: awssdk.String("faas-lambda"), PolicyDocument: &everything})
	}
	if err == nil {
		_, err = c.iam.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: awssdk.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})
	}
	if err != nil {
		t.Fatal(err)
	}
	bounded := c.provider(t, aws.ManagedRole, "limits")
	if err := bounded.Deploy(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	is, err := c.iam.GetRole(t.Context(), &iam.GetRoleInput{RoleName: role})
	if err != nil {
		t.Fatal(err)
	}
	trust, _ := url.PathUnescape(*is.Role.AssumeRolePolicyDocument)
	if c.policy(t, *role) != policy || !strings.Contains(trust, `"aws:SourceAccount":["`+account+`"]`) ||
		is.Role.PermissionsBoundary == nil || *is.Role.PermissionsBoundary.PermissionsBoundaryArn != "arn:aws:iam::"+account+":policy/limits" {
		t.Errorf("it was not mended: %s, %s, %+v", c.policy(t, *role), trust, is.Role.PermissionsBoundary)
	}
	// What others attached goes with it.
	if err := c.Delete(t.Context(), backend.Name{Namespace: managedNamespace, Function: "kept"}); err != nil || len(c.roles(t)) != 0 {
		t.Errorf("delete: %v, roles %v", err, c.roles(t))
	}
}

// A role that somebody else made is left alone, and the deployment says so.
func TestForeignRole(t *testing.T) {
	c := newRoleCloud(t, aws.ManagedRole)
	role := awssdk.String("theirs.openfaas-fn." + region)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`
	if _, err := c.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: &trust}); err != nil {
		t.Fatal(err)
	}
	err := c.Deploy(t.Context(), c.function("theirs", nil))
	if !errors.Is(err, backend.ErrConflict) || !strings.Contains(err.Error(), "was not made by faas-lambda") {
		t.Errorf("deployed with somebody else's role: %v", err)
	}
	if _, err := c.iam.GetRole(t.Context(), &iam.GetRoleInput{RoleName: role}); err != nil {
		t.Errorf("it was removed: %v", err)
	}
	if _, err := c.Status(t.Context(), backend.Name{Namespace: managedNamespace, Function: "theirs"}); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("the function is there: %v", err)
	}
}

// From a role of one's own to a managed one and back: the managed one stays without
// permissions as long as it is kept for a rollback.
func TestChangeOfRoles(t *testing.T) {
	c := newRoleCloud(t, "arn:aws:iam::"+account+":role/shared")
	name, role := backend.Name{Namespace: managedNamespace, Function: "moves"}, "moves.openfaas-fn."+region
	keepOne := map[string]string{"com.openfaas.lambda/keep-versions": "1"}
	c.deploy(t, c.function("moves", nil))
	c.deploy(t, c.function("moves", ownRole))
	if got := c.runsAs(t, "moves"); !strings.HasSuffix(got, role) {
		t.Errorf("it runs as %s", got)
	}
	c.deploy(t, c.function("moves", keepOne))
	names, err := c.iam.ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: &role})
	if err != nil || len(names.PolicyNames) != 0 {
		t.Errorf("kept for a rollback, it has %+v, %v", names, err)
	}
	if err := c.Rollback(t.Context(), name, ""); err != nil {
		t.Fatal(err)
	}
	if c.policy(t, role) == "" {
		t.Error("rolled back to, it has no policy")
	}
	for _, more := range []string{"1", "2"} {
		keepOne["more"] = more
		c.deploy(t, c.function("moves", keepOne))
	}
	if got := c.roles(t); len(got) != 0 {
		t.Errorf("no deployment has it any more, and there is %v", got)
	}
}

// IAM shows a new role to Lambda when it likes.
func TestRoleThatIsNotSeenYet(t *testing.T) {
	c := newRoleCloud(t, aws.ManagedRole)
	fault := faults.Fault{
		Service: "lambda", Operation: "CreateFunction", Kind: faults.Failure, Status: 400, Code: "InvalidParameterValueException",
		Message: "The role defined for the function cannot be assumed by Lambda.", Count: 2,
	}
	if _, err := c.server.Faults().Add(fault); err != nil {
		t.Fatal(err)
	}
	c.deploy(t, c.function("patient", nil))
	fault.Count = 0 // and never again
	id, err := c.server.Faults().Add(fault)
	if err != nil {
		t.Fatal(err)
	}
	o := c.options(managedNamespace, c.url.String(), time.Millisecond)
	o.Role = aws.ManagedRole
	hasty, err := aws.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	err = hasty.Deploy(t.Context(), c.function("hasty", nil))
	c.server.Faults().Remove(id)
	if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "cannot be assumed by Lambda") {
		t.Errorf("deployed: %v", err)
	}
	if got := c.roles(t); len(got) != 1 {
		t.Errorf("roles %v", got)
	}
}

// A role whose function was never made goes with the next list: not those of
// functions, and not those of namespaces that are another provider's.
func TestRolesThatWereLeft(t *testing.T) {
	c := newRoleCloud(t, aws.ManagedRole)
	c.deploy(t, c.function("there", nil))
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	for _, name := range []backend.Name{{Namespace: managedNamespace, Function: "gone"}, {Namespace: "elsewhere", Function: "gone"}} {
		tags := []iamtypes.Tag{{Key: awssdk.String("faas-lambda:service"), Value: &name.Function}, {Key: awssdk.String("faas-lambda:namespace"), Value: &name.Namespace}, {Key: awssdk.String("faas-lambda:function"), Value: &name.Function}}
		_, err := c.iam.CreateRole(t.Context(), &iam.CreateRoleInput{
			RoleName: awssdk.String(name.Function + "." + name.Namespace + "." + region), Path: awssdk.String("/faas-lambda/" + region + "/"), AssumeRolePolicyDocument: &trust, Tags: tags,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := c.List(t.Context(), managedNamespace); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := c.roles(t), []string{"gone.elsewhere." + region, "there.openfaas-fn." + region}; !slices.Equal(got, want) {
		t.Errorf("roles %v, want %v", got, want)
	}
}

// While an update goes on, the version before still has what it needs.
func TestRoleDuringAnUpdate(t *testing.T) {
	c := newRoleCloud(t, aws.ManagedRole)
	for _, name := range []string{"one", "two"} {
		if err := c.CreateSecret(t.Context(), types.Secret{Name: name, Namespace: managedNamespace, Value: "v"}); err != nil {
			t.Fatal(err)
		}
	}
	c.deploy(t, c.function("busy", nil, "one"))
	role, seen := c.runsAs(t, "busy"), false
	_, err := c.server.Faults().Add(faults.Fault{Service: "lambda", Operation: "UpdateAlias", Kind: faults.Failure, Status: 400, Code: "InvalidParameterValueException", Count: 1, Then: func() {
		seen = c.may(t, role, "one") && c.may(t, role, "two")
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Deploy(t.Context(), c.function("busy", nil, "two")); err == nil {
		t.Error("it was deployed")
	}
	if !seen {
		t.Error("before the new version served, not both could be read")
	}
	if !c.may(t, role, "one") || c.may(t, role, "two") {
		t.Error("the update failed, and its role is not as before")
	}
}

// IAM shows a function what its role may do when it likes, too: until then the new
// version cannot read its secret, and does not start.
func TestRightsThatAreNotSeenYet(t *testing.T) {
	c := newRoleCloud(t, aws.ManagedRole)
	if err := c.CreateSecret(t.Context(), types.Secret{Name: "new", Namespace: managedNamespace, Value: "v"}); err != nil {
		t.Fatal(err)
	}
	c.deploy(t, c.function("patient", nil))
	denials := 0
	c.runs = func(w http.ResponseWriter, r *http.Request) {
		if denials++; denials > 2 {
			started(w, r)
			return
		}
		streamed(w, [2]string{"InvokeComplete", `{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorType\":\"Runtime.InitError\",` +
			`\"errorMessage\":\"fetch secret new (secretsmanager:x): AccessDeniedException (status 400): is not authorized\"}"}`})
	}
	c.deploy(t, c.function("patient", nil, "new"))
	if denials != 3 {
		t.Errorf("started %d times", denials)
	}
}
