package integration

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"
)

// TestAdoptedFunctionIsLeftAlone makes a function by the AWS CLI and gives it the
// tag: it is listed, described and invoked with its own payload, and nothing
// changes it.
func TestAdoptedFunctionIsLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "function.zip")
	image := push(t, "functions/cat:1", classic(t))
	if said, err := faasLambda(t, "package", image, "-o", file); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	must := func(args ...string) string {
		t.Helper()
		said, err := aws(t, args...)
		if err != nil {
			t.Fatalf("aws lambda %s: %v\n%s", strings.Join(args, " "), err, said)
		}
		return said
	}
	must("create-function", "--function-name", "adopted", "--runtime", "provided.al2023", "--handler", "bootstrap", "--role", "arn:aws:iam::000000000000:role/lambda",
		"--zip-file", "fileb://"+file, "--environment", "Variables={HIDDEN=s3cret}", "--tags", "faas-lambda:adopt=true,team=a")
	defer must("delete-function", "--function-name", "adopted")
	must("wait", "function-active-v2", "--function-name", "adopted")
	state := func() string {
		return must("get-function", "--function-name", "adopted", "--query", "[Configuration,Tags,Concurrency]")
	}
	before := state()

	list := do(t, http.MethodGet, "/system/functions", nil)
	status := do(t, http.MethodGet, "/system/function/adopted", nil)
	for _, a := range []string{string(list.Body), string(status.Body)} {
		if !strings.Contains(a, `"name":"adopted"`) || !strings.Contains(a, `"team":"a"`) || strings.Contains(a, "s3cret") {
			t.Errorf("it is described as %s", a)
		}
	}
	for body, want := range map[string]int{`{"raw": [1]}`: http.StatusOK, "no JSON": http.StatusBadRequest} {
		if a := do(t, http.MethodPost, "/function/adopted", []byte(body)); a.Status != want || want == http.StatusOK && string(a.Body) != body {
			t.Errorf("%s: %v, want %d", body, unexpected(a), want)
		}
	}
	deployment, err := json.Marshal(types.FunctionDeployment{Service: "adopted", Image: image})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, method, path, body string }{
		{"deploy", http.MethodPost, "/system/functions", string(deployment)},
		{"update", http.MethodPut, "/system/functions", string(deployment)},
		{"scale", http.MethodPost, "/system/scale-function/adopted", `{"serviceName":"adopted","replicas":2}`},
		{"scale to nothing", http.MethodPost, "/system/scale-function/adopted", `{"serviceName":"adopted","replicas":0}`},
		{"delete", http.MethodDelete, "/system/functions", `{"functionName":"adopted"}`},
	} {
		if a := do(t, c.method, c.path, []byte(c.body)); a.Status != http.StatusConflict || !strings.Contains(string(a.Body), "was made by another tool and is adopted") {
			t.Errorf("%s: %v", c.name, unexpected(a))
		}
	}
	if after := state(); after != before {
		t.Errorf("it was changed from\n%s\nto\n%s", before, after)
	}
}
