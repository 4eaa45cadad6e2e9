package lambda

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

func TestLayerPermissions(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.publishLayer("l", map[string][]byte{"a": nil})
	add := func(sid, revision string) (*lambda.AddLayerVersionPermissionOutput, error) {
		in := &lambda.AddLayerVersionPermissionInput{
			LayerName: aws.String("l"), VersionNumber: aws.Int64(1), StatementId: &sid, Action: aws.String("lambda:GetLayerVersion"), Principal: aws.String("*"),
		}
		if revision != "" {
			in.RevisionId = &revision
		}
		return h.Lambda.AddLayerVersionPermission(t.Context(), in)
	}
	get := func() (*lambda.GetLayerVersionPolicyOutput, error) {
		return h.Lambda.GetLayerVersionPolicy(t.Context(), &lambda.GetLayerVersionPolicyInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(1)})
	}
	remove := func(sid, revision string) error {
		in := &lambda.RemoveLayerVersionPermissionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(1), StatementId: &sid}
		if revision != "" {
			in.RevisionId = &revision
		}
		_, err := h.Lambda.RemoveLayerVersionPermission(t.Context(), in)
		return err
	}
	_, err := get()
	lambdatest.WantError(t, err, "ResourceNotFoundException", "No policy is associated with the given resource.")
	first, err := add("s1", "")
	if err != nil {
		t.Fatal(err)
	}
	const s1 = `{"Sid":"s1","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Resource":"arn:aws:lambda:us-east-1:000000000000:layer:l:1"}`
	if got := aws.ToString(first.Statement); got != s1 {
		t.Errorf("statement = %s", got)
	}
	_, err = add("s1", "")
	lambdatest.WantError(t, err, "ResourceConflictException", "The statement id (s1) provided already exists. Please provide a new statement id, or remove the existing statement.")
	_, err = add("s2", "wrong")
	lambdatest.WantError(t, err, "PreconditionFailedException", "Call the GetLayerPolicy API to retrieve the latest Revision Id")
	second, err := add("s2", aws.ToString(first.RevisionId))
	if err != nil {
		t.Fatal(err)
	}
	lambdatest.WantError(t, remove("s2", aws.ToString(first.RevisionId)), "PreconditionFailedException", "")
	lambdatest.WantError(t, remove("s3", ""), "ResourceNotFoundException", "Statement s3 is not found in resource policy.")
	if err := remove("s2", aws.ToString(second.RevisionId)); err != nil {
		t.Fatal(err)
	}
	policy, err := get()
	if err != nil || aws.ToString(policy.Policy) != `{"Version":"2012-10-17","Id":"default","Statement":[`+s1+`]}` {
		t.Errorf("policy = %+v, %v", policy, err)
	}
	if err := remove("s1", ""); err != nil {
		t.Fatal(err)
	}
	_, err = get()
	lambdatest.WantError(t, err, "ResourceNotFoundException", "No policy is associated")
}

func TestLayerRequestsAreRefused(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.publishLayer("l", map[string][]byte{"a": nil})
	const layers = "/2018-10-31/layers"
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"no layer", "GET", layers + "/no/versions/1", "", 404, `{"Message":"The resource you requested does not exist.","Type":"User"}`},
		{"no version", "GET", layers + "/l/versions/2", "", 404, "The resource you requested does not exist."},
		{"version zero", "GET", layers + "/l/versions/0", "", 400, `{"Type":"User","message":"Layer Version Cannot be less than 1"}`},
		{"negative version", "DELETE", layers + "/l/versions/-1", "", 400, "Layer Version Cannot be less than 1"},
		{"delete what is not there", "DELETE", layers + "/l/versions/7", "", 204, ""},
		{"versions of nothing", "GET", layers + "/no/versions", "", 200, `{"LayerVersions":[]}`},
		{"ARN without version", "GET", layers + "?find=LayerVersion&Arn=arn:aws:lambda:us-east-1:000000000000:layer:l", "", 400, "at 'arn' failed to satisfy constraint: Member must satisfy regular expression pattern"},
		{"ARN of nothing", "GET", layers + "?find=LayerVersion&Arn=arn:aws:lambda:us-east-1:000000000000:layer:l:9", "", 404, "The resource you requested does not exist."},
		{"runtime of a list", "GET", layers + "?CompatibleRuntime=x", "", 400, "Value 'x' at 'compatibleRuntime' failed to satisfy constraint: Member must satisfy enum value set: [ruby3.5, "},
		{"architecture of a list", "GET", layers + "?CompatibleArchitecture=x", "", 400, "Member must satisfy enum value set: [x86_64, arm64]"},
		{"no content", "POST", layers + "/l/versions", "{}", 400, "Value null at 'content'"},
		{"runtimes", "POST", layers + "/l/versions", `{"Content":{},"CompatibleRuntimes":["x","nodejs20.x"],"CompatibleArchitectures":["y","x86_64"]}`, 400, "2 validation errors detected: Value '[x, nodejs20.x]' at 'compatibleRuntimes' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, "},
		{"no zip", "POST", layers + "/l/versions", `{"Content":{"ZipFile":"AAAA"}}`, 400, "Could not unzip uploaded file."},
		{"action", "POST", layers + "/l/versions/1/policy", `{"StatementId":"s","Action":"*","Principal":"*"}`, 400, "Value '*' at 'action' failed to satisfy constraint: Member must satisfy regular expression pattern: lambda:GetLayerVersion"},
		{"policy of nothing", "GET", layers + "/l/versions/2/policy", "", 404, "Layer version arn:aws:lambda:us-east-1:000000000000:layer:l:2 does not exist."},
		{"name", "GET", layers + "/a.b/versions", "", 400, "at 'layerName' failed to satisfy constraint"},
		{"other account", "GET", layers + "/arn:aws:lambda:us-east-1:123456789012:layer:l/versions", "", 403, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if status, _, body := h.send(test.method, test.path, test.body); status != test.status || !strings.Contains(body, test.want) {
				t.Errorf("answer = %d %s", status, body)
			}
		})
	}
}
