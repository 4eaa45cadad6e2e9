package integration

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// awsCLI finds the AWS CLI, which integration/tools.sh installs.
func awsCLI(t testing.TB) string {
	t.Helper()
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	if own := filepath.Join(root, "bin", "aws-venv", "bin", "aws"); exec.Command(own, "--version").Run() == nil {
		return own
	}
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Fatal("the AWS CLI is not installed: run integration/tools.sh aws")
	}
	return path
}

// aws runs the AWS CLI's lambda commands against the embedded AWS.
func aws(t testing.TB, args ...string) (string, error) {
	t.Helper()
	return awsCommand(t, append([]string{"lambda"}, args...)...)
}

// awsCommand runs the AWS CLI against the embedded AWS.
func awsCommand(t testing.TB, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), awsCLI(t), args...)
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+shared.up.AWS, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_DEFAULT_REGION=us-east-1", "AWS_PAGER=", "NO_PROXY=127.0.0.1,localhost", "AWS_EC2_METADATA_DISABLED=true")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return stdout.String() + stderr.String(), err
}

// TestAWSCLI uses the embedded Lambda by a client that is not Go's SDK.
func TestAWSCLI(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	must := func(args ...string) string {
		t.Helper()
		said, err := aws(t, args...)
		if err != nil {
			t.Fatalf("aws lambda %s: %v\n%s", strings.Join(args, " "), err, said)
		}
		return said
	}
	ref := push(t, "functions/web:1", middleware(t, "web"))
	deploy(t, types.FunctionDeployment{Service: "by-provider", Image: ref})

	t.Run("a deployed function is an ordinary one", func(t *testing.T) {
		var got struct {
			Configuration struct{ FunctionName, Runtime, State, PackageType string }
		}
		decode(t, []byte(must("get-function", "--function-name", "by-provider")), &got)
		if c := got.Configuration; c.State != "Active" || c.Runtime != "provided.al2023" || c.PackageType != "Zip" {
			t.Errorf("%+v", c)
		}
		if list := must("list-functions"); !strings.Contains(list, `"by-provider"`) {
			t.Errorf("the list lacks it: %s", list)
		}
	})
	t.Run("a raw event is POSTed and answered raw", func(t *testing.T) {
		said := must("invoke", "--function-name", "by-provider", "--payload", payload(t, `{"hello": "lambda"}`), out)
		if got := read(t, out); got != "<h1>Hello, {&#34;hello&#34;: &#34;lambda&#34;}!</h1>\n" {
			t.Errorf("answer %q\n%s", got, said)
		}
	})
	t.Run("an HTTP event is answered as API Gateway reads it", func(t *testing.T) {
		event := `{"version":"2.0","routeKey":"$default","rawPath":"/status/418","rawQueryString":"","headers":{},
			"requestContext":{"http":{"method":"GET","path":"/status/418","protocol":"HTTP/1.1","sourceIp":"127.0.0.1"}},"isBase64Encoded":false}`
		must("invoke", "--function-name", "by-provider", "--payload", payload(t, event), out)
		var got struct{ StatusCode int }
		decode(t, []byte(read(t, out)), &got)
		if got.StatusCode != 418 {
			t.Errorf("answer %s", read(t, out))
		}
	})
	t.Run("a package made by hand", func(t *testing.T) {
		file := filepath.Join(dir, "function.zip")
		if said, err := faasLambda(t, "package", push(t, "functions/cat:1", classic(t)), "-o", file); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		must("create-function", "--function-name", "by-hand", "--runtime", "provided.al2023", "--handler", "bootstrap",
			"--role", "arn:aws:iam::000000000000:role/lambda", "--zip-file", "fileb://"+file, "--timeout", "10", "--tags", "made=by hand")
		must("wait", "function-active-v2", "--function-name", "by-hand")
		said := must("invoke", "--function-name", "by-hand", "--log-type", "Tail", "--payload", payload(t, `["any", "JSON"]`), out)
		if got := read(t, out); got != `["any", "JSON"]` {
			t.Errorf("answer %q", got)
		}
		var result struct{ LogResult []byte }
		decode(t, []byte(said), &result)
		for _, part := range []string{"START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "Billed Duration: ", "Max Memory Used: ", "Init Duration: "} {
			if !bytes.Contains(result.LogResult, []byte(part)) {
				t.Errorf("the log lacks %q:\n%s", part, result.LogResult)
			}
		}
		must("put-function-concurrency", "--function-name", "by-hand", "--reserved-concurrent-executions", "0")
		if said, err := aws(t, "invoke", "--function-name", "by-hand", "--payload", payload(t, `1`), out); err == nil || !strings.Contains(said, "TooManyRequestsException") {
			t.Errorf("reserved concurrency 0: %v\n%s", err, said)
		}
		must("delete-function-concurrency", "--function-name", "by-hand")
		must("update-function-configuration", "--function-name", "by-hand", "--memory-size", "256")
		must("wait", "function-updated-v2", "--function-name", "by-hand")
		if tags := must("list-tags", "--resource", "arn:aws:lambda:us-east-1:000000000000:function:by-hand"); !strings.Contains(tags, "by hand") {
			t.Errorf("tags: %s", tags)
		}
		must("delete-function", "--function-name", "by-hand")
		if said, err := aws(t, "get-function", "--function-name", "by-hand"); err == nil || !strings.Contains(said, "ResourceNotFoundException") {
			t.Errorf("after delete: %v\n%s", err, said)
		}
	})
	t.Run("bad input", func(t *testing.T) {
		create := func(args ...string) []string {
			return append([]string{"create-function", "--function-name", "bad", "--runtime", "provided.al2023", "--handler", "bootstrap",
				"--role", "arn:aws:iam::000000000000:role/lambda", "--code", "S3Bucket=none,S3Key=none"}, args...)
		}
		for name, c := range map[string]struct {
			args []string
			says string
		}{
			"too long": {create("--timeout", "901"), "ValidationException"},
			"no JSON":  {[]string{"invoke", "--function-name", "by-provider", "--payload", payload(t, "{"), out}, "InvalidRequestContentException"},
			"missing":  {[]string{"invoke", "--function-name", "nobody", out}, "ResourceNotFoundException"},
			"bad name": {[]string{"get-function", "--function-name", "no spaces"}, "ValidationException"},
		} {
			t.Run(name, func(t *testing.T) {
				if said, err := aws(t, c.args...); err == nil || !strings.Contains(said, c.says) {
					t.Errorf("%v, want %s\n%s", err, c.says, said)
				}
			})
		}
		t.Run("corrupt zip", func(t *testing.T) { corruptZip(t) })
		if got := do(t, "GET", "/function/by-provider/status/200", nil); got.Status != 200 {
			t.Errorf("afterwards the function answered %d: %s", got.Status, got.Body)
		}
	})
}

// corruptZip sends what is no zip, which the CLI itself would not.
func corruptZip(t *testing.T) {
	for path, body := range map[string]string{
		"/2015-03-31/functions": `{"FunctionName":"bad","Runtime":"provided.al2023","Handler":"bootstrap",
			"Role":"arn:aws:iam::000000000000:role/lambda","Code":{"ZipFile":"UEsDBCB0aGlzIGlzIG5vIHppcA=="}}`,
		"/2015-03-31/functions/by-provider/code": `{"ZipFile":"UEsDBCB0aGlzIGlzIG5vIHppcA=="}`,
	} {
		method := http.MethodPost
		if strings.HasSuffix(path, "/code") {
			method = http.MethodPut
		}
		req, err := http.NewRequestWithContext(t.Context(), method, shared.up.AWS+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusBadRequest || !bytes.Contains(answer, []byte("Could not unzip uploaded file")) {
			t.Errorf("%s answered %d %s", path, res.StatusCode, answer)
		}
	}
	if said, err := aws(t, "get-function", "--function-name", "bad"); err == nil {
		t.Errorf("something was left: %s", said)
	}
}

// payload writes an event to a file of the test's own and names it as both
// versions of the CLI read it.
func payload(t *testing.T, event string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(path, []byte(event), 0o600); err != nil {
		t.Fatal(err)
	}
	return "fileb://" + path
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
