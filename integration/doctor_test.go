package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// finding is a line of doctor.
type finding struct{ What, State, Said, Advice string }

// inCloud runs a command of the program on the embedded AWS, and returns what it
// printed. An exit status other than 0 is an error.
func inCloud(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "faas-lambda"), args...)
	cmd.Env = append(os.Environ(), "AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL="+shared.up.AWS,
		"lambda_execution_role=arn:aws:iam::000000000000:role/faas-lambda")
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Logf("faas-lambda %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
		return stdout.String(), err
	}
	return stdout.String(), nil
}

// examine runs doctor with credentials, and returns what it says by what it is
// about.
func examine(t *testing.T, env ...string) map[string]finding {
	t.Helper()
	out, err := inCloud(t, env, "doctor", "--json")
	var list []finding
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found, broken := map[string]finding{}, false
	for _, f := range list {
		found[f.What] = f
		broken = broken || f.State == "broken"
	}
	if (err != nil) != broken {
		t.Errorf("its exit status says %v: %s", err, out)
	}
	return found
}

// TestDoctor has doctor examine the embedded AWS: as its user, who may do
// everything, and as roles with the policy that iam prints and with less, and with
// no credentials.
func TestDoctor(t *testing.T) {
	keys := []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
	found := examine(t, keys...)
	for what, said := range map[string]string{
		"region": "us-east-1", "credentials": "user/local", "clock": "as AWS's", "permissions": "actions are allowed", "execution role": "role/faas-lambda",
		"limits": "1000 invocations at once", "bucket": "faas-lambda-000000000000-us-east-1", "registry": "ECR",
	} {
		if f := found[what]; f.State != "ok" || !strings.Contains(f.Said, said) {
			t.Errorf("%s: %+v, want %q", what, f, said)
		}
	}
	managed := []string{"lambda_execution_role=managed", "managed_role_boundary=limits"}
	for role, c := range map[string]struct {
		with, without string // replaced in what iam prints
		env           []string
		state, lacks  string
	}{
		"as-printed":   {"", "", nil, "ok", ""},
		"with-roles":   {"", "", managed, "ok", ""},
		"unbounded":    {`policy/limits"`, `policy/others"`, managed, "broken", "iam:CreateRole"},
		"less":         {`"lambda:GetFunction",`, "", nil, "broken", "lambda:GetFunction"},
		"no-schedules": {`"events:PutRule",`, "", nil, "warning", "events:PutRule"},
	} {
		policy, err := inCloud(t, c.env, "iam", "--account", "000000000000", "--region", "us-east-1")
		if err != nil {
			t.Fatal(err)
		}
		if c.with != "" && !strings.Contains(policy, c.with) {
			t.Fatalf("%s: the policy has no %s", role, c.with)
		}
		found := examine(t, append(assume(t, role, strings.Replace(policy, c.with, c.without, 1)), c.env...)...)
		if f := found["credentials"]; f.State != "ok" || !strings.Contains(f.Said, "assumed-role/"+role+"/") {
			t.Errorf("%s: %+v", role, f)
		}
		if f := found["permissions"]; f.State != c.state || !strings.Contains(f.Said, c.lacks) {
			t.Errorf("%s: %+v, want %s %s", role, f, c.state, c.lacks)
		}
	}
	none := examine(t, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SHARED_CREDENTIALS_FILE=/nowhere", "AWS_CONFIG_FILE=/nowhere")
	if f := none["credentials"]; f.State != "broken" || f.Advice == "" {
		t.Errorf("without credentials: %+v", f)
	}
}

// assume makes a role with a policy, and returns credentials of it.
func assume(t *testing.T, role, policy string) []string {
	t.Helper()
	must := func(args ...string) string {
		t.Helper()
		out, err := awsCommand(t, args...)
		if err != nil {
			t.Fatalf("aws %s: %v\n%s", strings.Join(args[:2], " "), err, out)
		}
		return out
	}
	trust, err := inCloud(t, nil, "iam", "--trust")
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ Role struct{ Arn string } }
	decode(t, []byte(must("iam", "create-role", "--role-name", role, "--assume-role-policy-document", trust)), &made)
	must("iam", "put-role-policy", "--role-name", role, "--policy-name", "provider", "--policy-document", policy)
	var session struct {
		Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	}
	decode(t, []byte(must("sts", "assume-role", "--role-arn", made.Role.Arn, "--role-session-name", "doctor")), &session)
	return []string{"AWS_ACCESS_KEY_ID=" + session.Credentials.AccessKeyId, "AWS_SECRET_ACCESS_KEY=" + session.Credentials.SecretAccessKey, "AWS_SESSION_TOKEN=" + session.Credentials.SessionToken}
}
