package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// lambdaBase is one of Lambda's own images, as far as it tells what it is.
func lambdaBase(more map[string]string) map[string][]byte {
	files := map[string][]byte{
		"lambda-entrypoint.sh": []byte("#!/bin/sh\n"), "usr/local/bin/aws-lambda-rie": noise(9, 1<<20), "usr/lib64/libc.so.6": noise(8, 1<<20),
		"etc/os-release": []byte("NAME=\"Amazon Linux\"\nVERSION_ID=\"2023\"\n"),
	}
	for p, text := range more {
		files[p] = []byte(text)
	}
	return files
}

// lambdaConfig is the configuration of such an image.
func lambdaConfig(cmd ...string) v1.Config {
	return v1.Config{
		Entrypoint: []string{"/lambda-entrypoint.sh"}, Cmd: cmd, WorkingDir: "/var/task",
		Env: []string{"PATH=/var/lang/bin:/usr/bin", "LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime", "STAGE=test"},
	}
}

var pythonBase = map[string]string{
	"var/runtime/bootstrap":                                   "#!/bin/bash\nexport AWS_EXECUTION_ENV=AWS_Lambda_python3.12\n",
	"var/lang/bin/python3.12":                                 "\x7fELF",
	"var/lang/lib/python3.12/site-packages/boto3/__init__.py": "x = 1\n",
}

// configured is what Lambda says of a function.
func configured(t *testing.T, url, function string) (c struct {
	Runtime, Handler, PackageType string
	CodeSize                      int64
}) {
	t.Helper()
	r, err := http.Get(url + "/2015-03-31/functions/" + function + "/configuration")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.NewDecoder(r.Body).Decode(&c), r.Body.Close()); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%d %v", r.StatusCode, err)
	}
	return c
}

// TestImageOfLambdasOwnBase deploys images that were made for Lambda: what stands
// above the base runs in the base's runtime.
func TestImageOfLambdasOwnBase(t *testing.T) {
	compiled, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	b, _, url := sharing(t, build(t))
	provided := types.FunctionDeployment{
		Service: "provided", Namespace: "openfaas-fn", EnvVars: map[string]string{"OTHER": "x"},
		Image: stackedAs(t, lambdaConfig("function.handler"), lambdaBase(nil), map[string][]byte{
			"var/runtime/bootstrap": compiled["handler"], "var/task/config.txt": []byte("mine"), "usr/lib64/libmine.so.1": noise(7, 1000), "var/cache/dnf/x": noise(6, 5000),
		}),
	}
	if err := b.Deploy(t.Context(), provided); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Handler, Stage, Config string
		Event                  struct{ Body string }
	}
	if answer := call(t, b, provided, `{"body":"ping"}`); json.Unmarshal([]byte(answer), &got) != nil || got.Handler != "function.handler" || got.Stage != "test" || got.Config != "mine" || got.Event.Body != "ping" {
		t.Errorf("answered %s", answer)
	}
	if c := configured(t, url, "provided"); c.Runtime != "provided.al2023" || c.Handler != "function.handler" || c.CodeSize > 6<<20 {
		t.Errorf("%+v", c)
	}
	status, err := b.Status(t.Context(), backend.NameOf(provided))
	if err != nil || !strings.Contains((*status.Annotations)["com.openfaas.lambda/package-reason"], "base is Lambda's own") {
		t.Errorf("%v, %v", status.Annotations, err)
	}
	python := types.FunctionDeployment{
		Service: "python", Namespace: "openfaas-fn",
		Image: stackedAs(t, lambdaConfig("app.handler"), lambdaBase(nil), func() map[string][]byte {
			files := map[string][]byte{}
			for p, text := range pythonBase {
				files[p] = []byte(text)
			}
			return files
		}(), map[string][]byte{"var/task/app.py": []byte("def handler(event, context): return 1\n"), "var/lang/lib/python3.12/site-packages/mine/__init__.py": []byte("y = 2\n")}),
	}
	if err := b.Deploy(t.Context(), python); err != nil {
		t.Fatal(err)
	}
	if c := configured(t, url, "python"); c.Runtime != "python3.12" || c.Handler != "app.handler" || c.CodeSize > 2000 {
		t.Errorf("%+v", c)
	}
	_, found := inspected(t, python.Image)
	var files []string
	for _, f := range found.Largest {
		files = append(files, f.Path)
	}
	if found.Expected.Runtime != "python3.12" || found.Expected.Handler != "app.handler" || strings.Join(files, " ") != "app.py mine/__init__.py" {
		t.Errorf("%+v, files %v", found.Expected, files)
	}
}

func TestImageOfLambdasOwnBaseIsRefused(t *testing.T) {
	compiled, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	b, _, _ := sharing(t, build(t))
	task := map[string][]byte{"var/task/app.py": []byte("x")}
	for name, c := range map[string]struct {
		d    types.FunctionDeployment
		want string
	}{
		"elsewhere": {types.FunctionDeployment{Image: stackedAs(t, lambdaConfig("app.handler"), lambdaBase(pythonBase), map[string][]byte{"usr/bin/tool": compiled["cat"]})}, "/usr/bin/tool"},
		"handler":   {types.FunctionDeployment{Image: stackedAs(t, lambdaConfig(), lambdaBase(pythonBase), task)}, "CMD"},
		"secrets":   {types.FunctionDeployment{Image: stackedAs(t, lambdaConfig("app.handler"), lambdaBase(pythonBase), task), Secrets: []string{"s"}}, "secret"},
		"image": {types.FunctionDeployment{
			Image: stackedAs(t, lambdaConfig("app.handler"), lambdaBase(pythonBase), task), Annotations: &map[string]string{"com.openfaas.lambda/package": packaging.Image},
		}, "deploy it as a zip"},
	} {
		c.d.Service, c.d.Namespace = name, "openfaas-fn"
		if len(c.d.Secrets) > 0 {
			if err := b.CreateSecret(t.Context(), types.Secret{Name: "s", Namespace: "openfaas-fn", Value: "v"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Deploy(t.Context(), c.d); !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
