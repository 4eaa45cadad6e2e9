package integration

import (
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mount is where bootstrap puts secrets.
const mount = "/tmp/.faas-lambda/secrets"

// TestSecrets has a function read secrets that the AWS CLI made, through the
// embedded AWS, from inside its sandbox.
func TestSecrets(t *testing.T) {
	must := func(args ...string) string {
		t.Helper()
		said, err := awsCommand(t, args...)
		if err != nil {
			t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, said)
		}
		return said
	}
	must("secretsmanager", "create-secret", "--name", "test/db", "--secret-string", "pass word\n", "--tags", "Key=of,Value=test")
	must("ssm", "put-parameter", "--name", "/test/token", "--type", "SecureString", "--value", "t0ken")
	file := filepath.Join(t.TempDir(), "function.zip")
	if said, err := faasLambda(t, "package", push(t, "functions/web:secrets", middleware(t, "web")), "-o", file); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	create := func(name string, secrets map[string]string) {
		t.Helper()
		names, err := json.Marshal(secrets)
		if err != nil {
			t.Fatal(err)
		}
		environment, err := json.Marshal(map[string]any{"Variables": map[string]string{
			"FAAS_LAMBDA_SECRETS": string(names), "FAAS_LAMBDA_SECRETS_REFRESH": "1s",
		}})
		if err != nil {
			t.Fatal(err)
		}
		must("lambda", "create-function", "--function-name", name, "--runtime", "provided.al2023", "--handler", "bootstrap",
			"--role", "arn:aws:iam::000000000000:role/lambda", "--zip-file", "fileb://"+file, "--timeout", "20", "--environment", string(environment))
		must("lambda", "wait", "function-active-v2", "--function-name", name)
	}
	create("with-secrets", map[string]string{"db": "secretsmanager:test/db", "token": "ssm:/test/token"})

	if got := readSecret(t, "with-secrets", mount+"/db"); got != "pass word\n" {
		t.Errorf("db = %q", got)
	}
	if got := readSecret(t, "with-secrets", mount+"/token"); got != "t0ken" {
		t.Errorf("token = %q", got)
	}
	t.Run("a rotated secret", func(t *testing.T) {
		must("secretsmanager", "put-secret-value", "--secret-id", "test/db", "--secret-string", "rotated")
		must("ssm", "put-parameter", "--name", "/test/token", "--overwrite", "--value", "t1")
		deadline := time.Now().Add(2 * time.Minute)
		for _, secret := range []struct{ file, want string }{{"db", "rotated"}, {"token", "t1"}} {
			for got := ""; got != secret.want; got = readSecret(t, "with-secrets", mount+"/"+secret.file) {
				if time.Now().After(deadline) {
					t.Fatalf("%s is still %q", secret.file, got)
				}
			}
		}
	})
	t.Run("a deleted secret keeps its last value", func(t *testing.T) {
		must("secretsmanager", "delete-secret", "--secret-id", "test/db", "--force-delete-without-recovery")
		if got := readSecret(t, "with-secrets", mount+"/db"); got != "rotated" {
			t.Errorf("db = %q", got)
		}
		if said, err := awsCommand(t, "secretsmanager", "get-secret-value", "--secret-id", "test/db"); err == nil || !strings.Contains(said, "(ResourceNotFoundException) when calling the GetSecretValue operation: Secrets Manager can't find the specified secret.") {
			t.Errorf("%v %s", err, said)
		}
	})
	t.Run("a missing secret fails the initialization", func(t *testing.T) {
		create("without", map[string]string{"token": "ssm:/test/token", "db": "secretsmanager:test/db"})
		out := filepath.Join(t.TempDir(), "out")
		must("lambda", "invoke", "--function-name", "without", "--payload", payload(t, "{}"), out)
		got := read(t, out)
		if !strings.Contains(got, "Runtime.SecretsUnavailable") || !strings.Contains(got, "fetch secret db (secretsmanager:test/db): ResourceNotFoundException (status 400)") || strings.Contains(got, "t1") {
			t.Errorf("answer %s", got)
		}
	})
	t.Run("the CLI reads what it wrote", func(t *testing.T) {
		must("secretsmanager", "create-secret", "--name", "test/binary", "--secret-binary", "fileb:///proc/sys/kernel/random/boot_id")
		must("secretsmanager", "tag-resource", "--secret-id", "test/binary", "--tags", "Key=of,Value=cli")
		must("secretsmanager", "update-secret", "--secret-id", "test/binary", "--description", "made by the CLI")
		var described struct {
			Description string
			CreatedDate any // a number to version 1 of the CLI, text to version 2
			Tags        []struct{ Key, Value string }
		}
		decode(t, []byte(must("secretsmanager", "describe-secret", "--secret-id", "test/binary")), &described)
		if described.CreatedDate == nil || described.Description != "made by the CLI" || len(described.Tags) != 1 {
			t.Errorf("%+v", described)
		}
		if list := must("secretsmanager", "list-secrets", "--filters", "Key=tag-value,Values=cli"); strings.Count(list, `"ARN"`) != 1 || !strings.Contains(list, "test/binary") {
			t.Errorf("list %s", list)
		}
		must("secretsmanager", "delete-secret", "--secret-id", "test/binary", "--force-delete-without-recovery")
		must("ssm", "delete-parameter", "--name", "/test/token")
		if said, err := awsCommand(t, "ssm", "get-parameter", "--name", "/test/token"); err == nil || !strings.Contains(said, "(ParameterNotFound)") {
			t.Errorf("%v %s", err, said)
		}
	})
}

// readSecret has the function web tell what a file holds.
func readSecret(t *testing.T, function, path string) string {
	t.Helper()
	event := `{"version":"2.0","routeKey":"$default","rawPath":"/file","rawQueryString":"path=` + url.QueryEscape(path) + `","headers":{},
		"requestContext":{"http":{"method":"GET","path":"/file","protocol":"HTTP/1.1","sourceIp":"127.0.0.1"}},"isBase64Encoded":false}`
	out := filepath.Join(t.TempDir(), "out")
	said, err := aws(t, "invoke", "--function-name", function, "--payload", payload(t, event), out)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	var got struct {
		StatusCode      int
		Body            string
		IsBase64Encoded bool
	}
	decode(t, []byte(read(t, out)), &got)
	if got.StatusCode != 200 {
		t.Fatalf("answer %s\n%s", read(t, out), shared.log)
	}
	if got.IsBase64Encoded {
		var plain []byte
		decode(t, []byte(`"`+got.Body+`"`), &plain)
		return string(plain)
	}
	return got.Body
}
