package integration

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/openfaas/faas-provider/types"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/watchdog/watchdogtest"
)

// TestBadDeployments deploys what cannot work. Each is a clear error with its
// status, leaves no function behind, and the provider goes on serving.
func TestBadDeployments(t *testing.T) {
	good := push(t, "functions/web:1", middleware(t, "web"))
	deploy(t, types.FunctionDeployment{Service: "bystander", Image: good})

	windows := platform(t, middleware(t, "web"), "windows", arch)
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[arch]
	foreign := platform(t, middleware(t, "web"), "linux", other)
	wrongELF, err := fixture.Middleware(arch, program(t, "web", other), program(t, "watchdog", arch))
	if err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		deployment types.FunctionDeployment
		status     int
		says       []string
	}{
		"unknown image":                {types.FunctionDeployment{Image: shared.registry.Addr + "/functions/missing:1"}, 400, []string{"functions/missing"}},
		"unreachable registry":         {types.FunctionDeployment{Image: watchdogtest.FreeAddr(t) + "/functions/web:1"}, 503, []string{"connection refused"}},
		"wrong digest":                 {types.FunctionDeployment{Image: strings.TrimSuffix(good, ":1") + "@sha256:" + strings.Repeat("0", 64)}, 400, []string{"sha256:0000"}},
		"no reference":                 {types.FunctionDeployment{Image: "not a reference!"}, 400, []string{"not a reference!"}},
		"no image":                     {types.FunctionDeployment{}, 400, []string{"image"}},
		"not a Linux image":            {types.FunctionDeployment{Image: push(t, "functions/windows:1", windows)}, 400, []string{"windows"}},
		"wrong architecture":           {types.FunctionDeployment{Image: push(t, "functions/foreign:1", foreign)}, 400, []string{other}},
		"wrong ELF machine":            {types.FunctionDeployment{Image: push(t, "functions/wrong-elf:1", wrongELF)}, 400, []string{"handler"}},
		"forbidden name":               {types.FunctionDeployment{Service: "no.dots", Image: good}, 400, []string{"no.dots"}},
		"name with a slash":            {types.FunctionDeployment{Service: "a/b", Image: good}, 400, []string{"a/b"}},
		"name too long":                {types.FunctionDeployment{Service: strings.Repeat("n", 65), Image: good}, 400, []string{"64"}},
		"bad memory":                   {types.FunctionDeployment{Image: good, Limits: &types.FunctionResources{Memory: "lots"}}, 400, []string{"lots"}},
		"too much memory":              {types.FunctionDeployment{Image: good, Limits: &types.FunctionResources{Memory: "64Gi"}}, 400, []string{"10240"}},
		"reserved variable":            {types.FunctionDeployment{Image: good, EnvVars: map[string]string{"AWS_REGION": "x"}}, 400, []string{"AWS_REGION"}},
		"environment too big":          {types.FunctionDeployment{Image: good, EnvVars: map[string]string{"big": strings.Repeat("x", 5000)}}, 400, []string{"4"}},
		"missing program":              {types.FunctionDeployment{Image: good, EnvProcess: "./nothing"}, 400, []string{"./nothing"}},
		"local image is no registry's": {types.FunctionDeployment{Image: "oci:" + t.TempDir()}, 400, []string{"oci"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.deployment.Service == "" {
				c.deployment.Service = "bad"
			}
			answer, err := shared.up.Deploy(t.Context(), c.deployment)
			if err != nil {
				t.Fatal(err)
			}
			if answer.Status != c.status {
				t.Errorf("deploy answered %d, want %d: %s", answer.Status, c.status, answer.Body)
			}
			for _, part := range c.says {
				if !bytes.Contains(answer.Body, []byte(part)) {
					t.Errorf("the error does not say %q: %s", part, answer.Body)
				}
			}
			if got := do(t, "GET", "/system/function/bad", nil); got.Status != http.StatusNotFound {
				t.Errorf("something was left: status answered %d %s", got.Status, got.Body)
			}
			if got := do(t, "GET", "/function/bystander/status/200", nil); got.Status != 200 {
				t.Errorf("another function answered %d: %s", got.Status, got.Body)
			}
		})
	}
}

// TestFailingUpdateKeepsTheFunction updates a running function to what cannot
// work: the old one goes on.
func TestFailingUpdateKeepsTheFunction(t *testing.T) {
	good := types.FunctionDeployment{Service: "kept", Image: push(t, "functions/web:1", middleware(t, "web"))}
	deploy(t, good)
	for name, bad := range map[string]types.FunctionDeployment{
		"unknown image": {Service: "kept", Image: shared.registry.Addr + "/functions/missing:1"},
		"bad memory":    {Service: "kept", Image: good.Image, Limits: &types.FunctionResources{Memory: "-1"}},
		"ends at once":  {Service: "kept", Image: push(t, "functions/crash:1", middleware(t, "crash"))},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := shared.up.Update(t.Context(), bad)
			if err != nil || answer.Status != http.StatusBadRequest {
				t.Errorf("update answered %d %s, %v", answer.Status, answer.Body, err)
			}
			if got := status(t, "kept"); got.Image != good.Image {
				t.Errorf("image is now %s", got.Image)
			}
			if got := do(t, "GET", "/function/kept/status/201", nil); got.Status != 201 {
				t.Errorf("the function answered %d: %s", got.Status, got.Body)
			}
		})
	}
}

func TestFunctionsThatDoNotStart(t *testing.T) {
	for name, c := range map[string]struct {
		env  []string
		says string
	}{
		"crash": {nil, "exit status 3"},
		"mute":  {nil, "127.0.0.1:8082"},
	} {
		t.Run(name, func(t *testing.T) {
			deploy(t, types.FunctionDeployment{Service: name, Image: push(t, "functions/"+name+":1", middleware(t, name, c.env...)),
				EnvVars: map[string]string{"exec_timeout": "2s"}})
			got := do(t, "GET", "/function/"+name, nil)
			if got.Status != http.StatusInternalServerError && got.Status != http.StatusGatewayTimeout {
				t.Errorf("answered %d: %s", got.Status, got.Body)
			}
			if got.Header.Get("X-OpenFaaS-Internal") == "" {
				t.Errorf("no X-OpenFaaS-Internal in %v", got.Header)
			}
			if got.Status == 500 && !bytes.Contains(got.Body, []byte(c.says)) {
				t.Errorf("the error does not say %q: %s", c.says, got.Body)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	for name, c := range map[string]struct {
		method, path, body string
		status             int
	}{
		"deploy: no JSON":          {"POST", "/system/functions", "{", 400},
		"deploy: wrong type":       {"POST", "/system/functions", `{"service": 7}`, 400},
		"deploy: empty":            {"POST", "/system/functions", "", 400},
		"update: no JSON":          {"PUT", "/system/functions", "]", 400},
		"update: missing function": {"PUT", "/system/functions", `{"service":"nobody","image":"` + shared.registry.Addr + `/functions/web:1"}`, 404},
		"delete: no JSON":          {"DELETE", "/system/functions", "x", 400},
		"delete: no name":          {"DELETE", "/system/functions", "{}", 400},
		"delete: missing function": {"DELETE", "/system/functions", `{"functionName":"nobody"}`, 404},
		"status: missing function": {"GET", "/system/function/nobody", "", 404},
		"scale: no JSON":           {"POST", "/system/scale-function/nobody", "x", 400},
		"unknown namespace":        {"GET", "/system/functions?namespace=nowhere", "", 404},
	} {
		t.Run(name, func(t *testing.T) {
			got := do(t, c.method, c.path, []byte(c.body))
			if got.Status != c.status || len(got.Body) == 0 {
				t.Errorf("answered %d %q, want %d and a reason", got.Status, got.Body, c.status)
			}
		})
	}
}

// platform returns img as if built for another system.
func platform(t *testing.T, img v1.Image, os, arch string) v1.Image {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = os, arch
	img, err = mutate.ConfigFile(img, config)
	if err != nil {
		t.Fatal(err)
	}
	return img
}
