package policy

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/secrets"
)

// inSource is how the code names the operations that it calls.
var inSource = regexp.MustCompile(`\b(lambda|s3|secretsmanager|ssm|sts|iam|ecr|cloudwatch|cloudwatchlogs|eventbridge|scheduler|sns|sqs|resourcegroupstaggingapi)\.([A-Z]\w+)Input\b`)

// TestTheTableIsWhatTheCodeCalls compares both ways, with the backend and all
// packages below it.
func TestTheTableIsWhatTheCodeCalls(t *testing.T) {
	called := map[string]bool{"lambda.Invoke": true, "lambda.InvokeWithResponseStream": true} // by requests of our own
	err := filepath.WalkDir("..", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		source, err := os.ReadFile(file)
		for _, m := range inSource.FindAllStringSubmatch(string(source), -1) {
			called[m[1]+"."+m[2]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, n := range table {
		for _, call := range strings.Fields(n.calls) {
			listed[n.service+"."+call] = true
			if !called[n.service+"."+call] {
				t.Errorf("%s.%s is in the table, and nothing calls it", n.service, call)
			}
		}
	}
	for call := range called {
		if !listed[call] {
			t.Errorf("%s is called, and not in the table: add it to table.go", call)
		}
	}
	t.Logf("%d operations", len(called))
}

func TestPolicies(t *testing.T) {
	for name, role := range map[string]string{"one role": "arn:aws:iam::123456789012:role/fn", "managed roles": annotations.ManagedRole} {
		t.Run(name, func(t *testing.T) {
			wellFormed(t, ForProvider(Place{Region: "eu-central-1", Account: "123456789012", Role: role}))
		})
	}
}

// What the provider may do depends on what it is configured to do.
func TestProviderPolicyIsTheLeast(t *testing.T) {
	shared := Place{Account: "123456789012", Region: "eu-central-1", Role: "arn:aws:iam::123456789012:role/fn"}
	managed, bounded, parameters, both := shared, shared, shared, shared
	managed.Role, bounded.Role, bounded.RoleBoundary, parameters.Store, both.ManagedRoles = annotations.ManagedRole, annotations.ManagedRole, "limits", secrets.ParameterStore, true
	below := "arn:aws:iam::123456789012:role/faas-lambda/eu-central-1/*"
	for _, c := range []struct {
		name        string
		place       Place
		has, hasNot []string // parts of the policy's text
	}{
		{"one role", shared, []string{"secretsmanager:CreateSecret", "iam:PassRole", `"` + shared.Role + `"`}, []string{"iam:CreateRole", "iam:ListRoles", below}},
		{"managed roles", managed, []string{"iam:CreateRole", "iam:DeleteRolePermissionsBoundary", below}, []string{shared.Role, "iam:PermissionsBoundary"}},
		{"with a boundary", bounded, []string{"iam:CreateRole", `"iam:PermissionsBoundary":["arn:aws:iam::123456789012:policy/limits"]`}, []string{"iam:DeleteRolePermissionsBoundary"}},
		{"both", both, []string{"iam:CreateRole", `"` + shared.Role + `","` + below + `"`}, nil},
		{"parameters", parameters, []string{"ssm:PutParameter"}, []string{"secretsmanager:"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := json.Marshal(ForProvider(c.place))
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range c.has {
				if !strings.Contains(string(text), part) {
					t.Errorf("no %s in %s", part, text)
				}
			}
			for _, part := range c.hasNot {
				if strings.Contains(string(text), part) {
					t.Errorf("%s in %s", part, text)
				}
			}
		})
	}
}

// wellFormed checks the provider's policy.
func wellFormed(t *testing.T, p Document) {
	t.Helper()
	sids := map[string]bool{}
	for _, s := range p.Statement {
		if sids[s.Sid] {
			t.Errorf("two statements %s", s.Sid)
		}
		sids[s.Sid] = true
		if slices.Contains(s.Resource, "*") && s.Sid != "ListFunctions" && s.Sid != "ListSecrets" && s.Sid != "Triggers" && s.Sid != "Registry" && s.Sid != "FindRoles" {
			t.Errorf("%s is about everything", s.Sid)
		}
		for _, resource := range s.Resource {
			_, path, is := strings.Cut(resource, ":iam::123456789012:")
			if is && !strings.HasPrefix(path, "role/") && !strings.HasPrefix(path, "user/") {
				t.Errorf("%s is about %s, which IAM refuses", s.Sid, resource)
			}
		}
		for _, action := range s.Action {
			if strings.Contains(action, "*") {
				t.Errorf("%s allows %s", s.Sid, action)
			}
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	// Managed policies take 6,144 characters (docs.aws.amazon.com/IAM, "IAM and
	// AWS STS quotas").
	if len(text) > 6144 {
		t.Errorf("the policy has %d characters", len(text))
	}
}
