package integration

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/openfaas/faas-provider/types"
)

func TestDeployedSpecComesBackExactly(t *testing.T) {
	ref := push(t, "functions/cat:1", classic(t))
	want := types.FunctionDeployment{
		Service: "spec", Image: ref, EnvProcess: "cat",
		EnvVars:     map[string]string{"a_b": "c=d", "fprocess": "/bin/other", "empty": ""},
		Constraints: []string{"arch=amd64"}, Secrets: nil,
		Labels:                 &map[string]string{"team": "ünïcode", "com.openfaas.scale.min": "2"},
		Annotations:            &map[string]string{"long": "{\n\t\"a\": [1, 2, 3]\n}\n", "topic": "a,b"},
		Limits:                 &types.FunctionResources{Memory: "200Mi", CPU: "250m"},
		Requests:               &types.FunctionResources{Memory: "64Mi", CPU: "100m"},
		ReadOnlyRootFilesystem: true,
	}
	before := time.Now().Add(-time.Minute)
	deploy(t, want)
	got := status(t, "spec")
	compare := func(got types.FunctionStatus) {
		t.Helper()
		back := types.FunctionDeployment{Service: got.Name, Image: got.Image, EnvProcess: got.EnvProcess, EnvVars: got.EnvVars,
			Constraints: got.Constraints, Secrets: got.Secrets, Labels: got.Labels, Annotations: got.Annotations, Limits: got.Limits,
			Requests: got.Requests, ReadOnlyRootFilesystem: got.ReadOnlyRootFilesystem}
		ignoreOurLabel := cmpopts.IgnoreMapEntries(func(k, v string) bool { return k == "faas_function" && v == "spec" })
		if diff := cmp.Diff(want, back, ignoreOurLabel, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-deployed +came back)\n%s", diff)
		}
	}
	compare(got)
	if got.CreatedAt.Before(before) || got.AvailableReplicas == 0 {
		t.Errorf("created at %v, %d available replicas", got.CreatedAt, got.AvailableReplicas)
	}

	var all []types.FunctionStatus
	decode(t, do(t, "GET", "/system/functions", nil).Body, &all)
	found := false
	for _, f := range all {
		if f.Name == "spec" {
			found = true
			compare(f)
		}
	}
	if !found {
		t.Error("the list lacks the function")
	}

	want.Labels = &map[string]string{"team": "other"}
	want.EnvVars = map[string]string{"new": "value"}
	if answer, err := shared.up.Update(t.Context(), want); err != nil || answer.Status != http.StatusAccepted && answer.Status != http.StatusOK {
		t.Fatalf("update answered %d: %s, %v", answer.Status, answer.Body, err)
	}
	updated := status(t, "spec")
	compare(updated)
	if !updated.CreatedAt.Equal(got.CreatedAt) {
		t.Errorf("an update changed createdAt from %v to %v", got.CreatedAt, updated.CreatedAt)
	}
}

func TestScaleIsKept(t *testing.T) {
	deploy(t, types.FunctionDeployment{Service: "scaled", Image: push(t, "functions/cat:1", classic(t))})
	if got := do(t, "POST", "/system/scale-function/scaled", []byte(`{"serviceName":"scaled","replicas":3}`)); got.Status != http.StatusAccepted && got.Status != 200 {
		t.Fatalf("scale answered %d: %s", got.Status, got.Body)
	}
	if got := status(t, "scaled"); got.Replicas != 3 {
		t.Errorf("replicas %d after scaling to 3", got.Replicas)
	}
	if got := do(t, "POST", "/system/scale-function/nobody", []byte(`{"serviceName":"nobody","replicas":3}`)); got.Status != http.StatusNotFound {
		t.Errorf("scaling a missing function answered %d: %s", got.Status, got.Body)
	}
}

func TestAuthentication(t *testing.T) {
	for _, c := range []struct{ method, path string }{
		{"GET", "/system/functions"}, {"POST", "/system/functions"}, {"PUT", "/system/functions"}, {"DELETE", "/system/functions"},
		{"GET", "/system/function/x"}, {"POST", "/system/scale-function/x"}, {"GET", "/system/info"}, {"GET", "/system/secrets"},
		{"GET", "/system/logs?name=x"}, {"GET", "/system/namespaces"}, {"GET", "/system/namespace/x"}, {"POST", "/system/namespace/x"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, shared.up.URL+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") != `Basic realm="Restricted"` {
				t.Errorf("answered %d, WWW-Authenticate %q", res.StatusCode, res.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestOpenRoutes(t *testing.T) {
	for path, want := range map[string]int{"/healthz": 200, "/metrics": 200, "/function/nobody": 404, "/system/nothing": 404} {
		if got := do(t, "GET", path, nil); got.Status != want {
			t.Errorf("GET %s answered %d, want %d: %s", path, got.Status, want, got.Body)
		}
	}
}

func status(t *testing.T, name string) types.FunctionStatus {
	t.Helper()
	answer := do(t, "GET", "/system/function/"+name, nil)
	if answer.Status != 200 {
		t.Fatalf("status of %s answered %d: %s", name, answer.Status, answer.Body)
	}
	var s types.FunctionStatus
	decode(t, answer.Body, &s)
	return s
}

func decode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
}
