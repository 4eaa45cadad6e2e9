package aws

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/layers/relocate"
	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func TestPlanRefuses(t *testing.T) {
	b := newFakeLambda(t).Backend
	for _, c := range []struct {
		name string
		d    types.FunctionDeployment
		says string
	}{
		{"dot in the name", types.FunctionDeployment{Service: "a.b"}, "dots"},
		{"long name", types.FunctionDeployment{Service: strings.Repeat("a", 65)}, "64"},
		{"odd name", types.FunctionDeployment{Service: "ä"}, "letters"},
		{"other namespace", types.FunctionDeployment{Service: "a", Namespace: "b"}, `"b"`},
		{"reserved variable", types.FunctionDeployment{Service: "a", EnvVars: map[string]string{"AWS_REGION": "x"}}, "AWS_REGION"},
		{"handler variable", types.FunctionDeployment{Service: "a", EnvVars: map[string]string{"_HANDLER": "x"}}, "_HANDLER"},
		{"our variable", types.FunctionDeployment{Service: "a", EnvVars: map[string]string{"FAAS_LAMBDA_PROCESS": "x"}}, "envProcess"},
		{"the provider's variable", types.FunctionDeployment{Service: "a", EnvVars: map[string]string{"FAAS_LAMBDA_DEPLOYMENT": "x"}}, "FAAS_LAMBDA_DEPLOYMENT"},
		{"label that is no number", types.FunctionDeployment{Service: "a", Labels: &map[string]string{"com.openfaas.scale.max": "many"}}, "com.openfaas.scale.max"},
		{"least is more than most", types.FunctionDeployment{Service: "a", Labels: &map[string]string{"com.openfaas.scale.max": "1", "com.openfaas.scale.min": "2"}}, "com.openfaas.scale.min"},
		{"label that is not true", types.FunctionDeployment{Service: "a", Labels: &map[string]string{"com.openfaas.scale.zero": "1"}}, "com.openfaas.scale.zero"},
		{"dash in a variable", types.FunctionDeployment{Service: "a", EnvVars: map[string]string{"a-b": "x"}}, "a-b"},
		{"short variable", types.FunctionDeployment{Service: "a", EnvVars: map[string]string{"A": "x"}}, `"A"`},
		{"NUL in a variable", types.FunctionDeployment{Service: "a", EnvVars: map[string]string{"AA": "x\x00"}}, "AA"},
		{"too many variables", types.FunctionDeployment{Service: "a", EnvVars: map[string]string{"AA": strings.Repeat("x", 4090)}}, "4096"},
		{"bad memory", types.FunctionDeployment{Service: "a", Limits: &types.FunctionResources{Memory: "lots"}}, "limits.memory"},
		{"much memory", types.FunctionDeployment{Service: "a", Limits: &types.FunctionResources{Memory: "16Gi"}}, "10240"},
		{"bad processor", types.FunctionDeployment{Service: "a", Limits: &types.FunctionResources{CPU: "one"}}, "limits.cpu"},
		{"bad request", types.FunctionDeployment{Service: "a", Requests: &types.FunctionResources{Memory: "x"}}, "requests.memory"},
		{"bad timeout", types.FunctionDeployment{Service: "a", EnvVars: map[string]string{"exec_timeout": "soon"}}, "exec_timeout"},
		{"long timeout", types.FunctionDeployment{Service: "a", EnvVars: map[string]string{"write_timeout": "16m"}}, "write_timeout"},
		{"bad keep-all", types.FunctionDeployment{Service: "a", Annotations: &map[string]string{relocate.KeepAllAnnotation: "yes"}}, relocate.KeepAllAnnotation},
		{"long annotations", types.FunctionDeployment{Service: "a", Annotations: &map[string]string{"a": noise(30_000)}}, "annotations"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.d.Namespace == "" {
				c.d.Namespace = "openfaas-fn"
			}
			_, err := b.plan(t.Context(), c.d)
			if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want ErrInvalid and %q", err, c.says)
			}
		})
	}
}

func TestEnvironmentLimitIsLambdas(t *testing.T) {
	// {"AA":"…","FAAS_LAMBDA_DEPLOYMENT":"…"} with 4043 characters is 4096 bytes.
	if _, err := environment(map[string]string{"AA": strings.Repeat("<", 4043)}, "", nil); err != nil {
		t.Error(err)
	}
	if _, err := environment(map[string]string{"AA": strings.Repeat("<", 4044)}, "", nil); err == nil {
		t.Error("4097 bytes were taken")
	}
}

func TestTimeout(t *testing.T) {
	for _, c := range []struct {
		name  string
		vars  map[string]string
		image []string
		want  time.Duration
	}{
		{"nothing said", nil, nil, time.Minute},
		{"by the deployment", map[string]string{"exec_timeout": "10s"}, []string{"exec_timeout=20s"}, 10 * time.Second},
		{"by the image", nil, []string{"PATH=/bin", "exec_timeout=20"}, 20 * time.Second},
		{"the longer one", map[string]string{"exec_timeout": "10s", "write_timeout": "15"}, nil, 15 * time.Second},
		{"the longer one, of both", map[string]string{"exec_timeout": "10s"}, []string{"write_timeout=90s"}, 90 * time.Second},
		{"to read", map[string]string{"read_timeout": "100"}, []string{"exec_timeout=20s"}, 100 * time.Second},
		{"rounded up", map[string]string{"exec_timeout": "1500ms"}, nil, 2 * time.Second},
		{"no limit", map[string]string{"exec_timeout": "0s"}, nil, time.Minute},
		{"the most", map[string]string{"exec_timeout": "15m"}, nil, 900 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := timeout(c.vars, c.image, time.Minute); err != nil || got != c.want {
				t.Errorf("%s, %v, want %s", got, err, c.want)
			}
		})
	}
	if _, err := timeout(nil, []string{"exec_timeout=1h"}, time.Minute); err == nil || !strings.Contains(err.Error(), "image") {
		t.Errorf("an image's hour gave %v", err)
	}
}

func TestMemoryAndArchitecture(t *testing.T) {
	for _, c := range []struct {
		name             string
		limits, requests *types.FunctionResources
		constraints      []string
		memory           int
		arch             string
	}{
		{"nothing said", nil, nil, nil, 256, "amd64"},
		{"the limit wins over the request", &types.FunctionResources{Memory: "512Mi"}, &types.FunctionResources{Memory: "1Gi"}, nil, 512, "amd64"},
		{"the request alone", nil, &types.FunctionResources{Memory: "1Gi"}, nil, 1024, "amd64"},
		{"a processor needs more", &types.FunctionResources{Memory: "512Mi", CPU: "1"}, nil, nil, 1769, "amd64"},
		{"a processor needs less", &types.FunctionResources{Memory: "4Gi", CPU: "1"}, nil, nil, 4096, "amd64"},
		{"requested processors", nil, &types.FunctionResources{CPU: "500m"}, nil, 885, "amd64"},
		{"all processors", &types.FunctionResources{CPU: "6"}, nil, nil, 10240, "amd64"},
		{"arm64", nil, nil, []string{"node=a", "kubernetes.io/arch == arm64"}, 256, "arm64"},
		{"arm64, short", nil, nil, []string{"arch=arm64"}, 256, "arm64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mb, err := memory(types.FunctionDeployment{Limits: c.limits, Requests: c.requests}, 256)
			if err != nil || mb != c.memory {
				t.Errorf("%d MB, %v, want %d", mb, err, c.memory)
			}
			arch, err := architecture(c.constraints, "amd64")
			if err != nil || arch != c.arch {
				t.Errorf("%s, %v, want %s", arch, err, c.arch)
			}
		})
	}
	if _, err := memory(types.FunctionDeployment{Limits: &types.FunctionResources{CPU: "7"}}, 256); err == nil {
		t.Error("7 processors were taken")
	}
	if _, err := architecture([]string{"arch=s390x"}, "amd64"); err == nil {
		t.Error("s390x was taken")
	}
}
