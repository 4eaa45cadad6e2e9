// Package backendtest is the conformance suite of backend.Backend. Every
// implementation passes it; what an implementation does beyond the contract is
// tested where it is.
package backendtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Subject is a backend without functions, and what to deploy on it.
type Subject struct {
	Backend   backend.Backend
	Namespace string // one that exists
	// Prefix stands before the names of functions and namespaces that the suite
	// makes: not everybody has a place where no others are.
	Prefix string
	Image  string // of a function that answers with the request's body and Content-Type
	// Prints is a part of what that function prints at an invocation; empty
	// when it prints nothing.
	Prints string
	// TextSecrets tells that values of secrets can be text alone.
	TextSecrets bool
	// Must are the abilities that the backend has to have. Those that it has
	// besides are tested too, unless it answers that they are not supported.
	Must []Ability
}

// Run runs the suite. open is called for every case, which cleans up after
// itself by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Subject)
	}{
		{"nothing is there at first", nothing},
		{"what is deployed comes back exactly", exact},
		{"the least deployment has labels and annotations", least},
		{"deploying again replaces", replace},
		{"update changes, and does not create", update},
		{"delete removes once", remove},
		{"list is ordered and of one namespace", list},
		{"invoke answers after deploy returns", invoke},
		{"scale is remembered", scale},
		{"deployments at once leave one of them", concurrent},
		{"namespaces are kept apart", namespaces},
		{"secrets are kept, and never told", secrets},
		{"logs are read back", readLogs},
		{"logs are followed", followLogs},
		{"usage and consumption are of functions that exist", usage},
		{"an invocation that nobody waits for is taken", async},
		{"a backend that works says so", check},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// called is a function or namespace of the suite as it is called here.
func (s Subject) called(name string) string { return s.Prefix + name }

func (s Subject) name(function string) backend.Name {
	return backend.Name{Namespace: s.Namespace, Function: s.called(function)}
}

func (s Subject) deployment(function string) types.FunctionDeployment {
	return types.FunctionDeployment{Service: s.called(function), Image: s.Image, Namespace: s.Namespace}
}

func (s Subject) deploy(t *testing.T, d types.FunctionDeployment) {
	t.Helper()
	if err := s.Backend.Deploy(t.Context(), d); err != nil {
		t.Fatalf("deploy %s: %v", d.Service, err)
	}
}

func (s Subject) status(t *testing.T, function string) types.FunctionStatus {
	t.Helper()
	status, err := s.Backend.Status(t.Context(), s.name(function))
	if err != nil {
		t.Fatalf("status of %s: %v", function, err)
	}
	return status
}

func nothing(t *testing.T, s Subject) {
	if functions, err := s.Backend.List(t.Context(), s.Namespace); err != nil || len(functions) != 0 {
		t.Errorf("List = %v, %v", functions, err)
	}
	if _, err := s.Backend.Status(t.Context(), s.name("missing")); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("Status = %v, want ErrNotFound", err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if answer, err := s.Backend.Invoke(t.Context(), s.name("missing"), r); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("Invoke = %v, %v, want ErrNotFound", answer, err)
	}
}

func exact(t *testing.T, s Subject) {
	d := s.deployment("exact")
	d.EnvVars = map[string]string{"a_b": "1", "empty": "", "json": "{\n  \"a\": \"ä\"\n}"}
	d.Labels = &map[string]string{"team": "x", "com.openfaas.scale.min": "2"}
	d.Annotations = &map[string]string{"topic": "a,b", "long": string(bytes.Repeat([]byte(`{"k":"v"}`+"\n"), 300))}
	d.Limits = &types.FunctionResources{Memory: "0.25Gi", CPU: "100m"}
	d.Requests = &types.FunctionResources{Memory: "134217728"}
	d.Constraints = []string{"node=a", "zone == b"}
	d.ReadOnlyRootFilesystem = true
	before := time.Now().Add(-time.Minute)
	s.deploy(t, d)
	got := s.status(t, "exact")
	want := backend.StatusOf(d)
	want.Replicas, want.AvailableReplicas, want.CreatedAt = 2, got.AvailableReplicas, got.CreatedAt
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got)\n%s", diff)
	}
	if got.AvailableReplicas == 0 || got.CreatedAt.Before(before) || got.CreatedAt.After(time.Now().Add(time.Minute)) {
		t.Errorf("availableReplicas %d, createdAt %s", got.AvailableReplicas, got.CreatedAt)
	}
	listed, err := s.Backend.List(t.Context(), s.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]types.FunctionStatus{got}, listed); diff != "" {
		t.Errorf("list differs from status (-status +list)\n%s", diff)
	}
}

func least(t *testing.T, s Subject) {
	s.deploy(t, s.deployment("least"))
	got := s.status(t, "least")
	if got.Labels == nil || (*got.Labels)[backend.FunctionLabel] != s.called("least") || got.Annotations == nil {
		t.Errorf("labels %v, annotations %v", got.Labels, got.Annotations)
	}
	if got.Image != s.Image || got.Namespace != s.Namespace || got.Replicas != 1 || len(got.EnvVars) != 0 || got.EnvProcess != "" {
		t.Errorf("status %+v", got)
	}
}

func replace(t *testing.T, s Subject) {
	d := s.deployment("replaced")
	d.EnvVars = map[string]string{"AA": "1"}
	d.Annotations = &map[string]string{"long": string(bytes.Repeat([]byte("0123456789abcdef ä"), 200))}
	s.deploy(t, d)
	first := s.status(t, "replaced")
	s.deploy(t, s.deployment("replaced"))
	got := s.status(t, "replaced")
	if len(got.EnvVars) != 0 || len(*got.Annotations) != 0 {
		t.Errorf("after a deployment without them: envVars %v, annotations %v", got.EnvVars, *got.Annotations)
	}
	if !got.CreatedAt.Equal(first.CreatedAt) {
		t.Errorf("createdAt went from %s to %s", first.CreatedAt, got.CreatedAt)
	}
}

func update(t *testing.T, s Subject) {
	d := s.deployment("updated")
	if err := s.Backend.Update(t.Context(), d); !errors.Is(err, backend.ErrNotFound) {
		t.Fatalf("Update of a missing function = %v, want ErrNotFound", err)
	}
	s.deploy(t, d)
	d.EnvVars = map[string]string{"AA": "2"}
	if err := s.Backend.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got := s.status(t, "updated"); got.EnvVars["AA"] != "2" {
		t.Errorf("envVars %v", got.EnvVars)
	}
}

func remove(t *testing.T, s Subject) {
	s.deploy(t, s.deployment("removed"))
	if err := s.Backend.Delete(t.Context(), s.name("removed")); err != nil {
		t.Fatal(err)
	}
	if err := s.Backend.Delete(t.Context(), s.name("removed")); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("second Delete = %v, want ErrNotFound", err)
	}
	nothing(t, s)
}

func list(t *testing.T, s Subject) {
	for _, function := range []string{"b", "c", "a"} {
		s.deploy(t, s.deployment(function))
	}
	functions, err := s.Backend.List(t.Context(), s.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range functions {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{s.called("a"), s.called("b"), s.called("c")}, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if other, err := s.Backend.List(t.Context(), s.Namespace+"-other"); err != nil || len(other) != 0 {
		t.Errorf("another namespace lists %v, %v", other, err)
	}
}

func invoke(t *testing.T, s Subject) {
	s.deploy(t, s.deployment("echo"))
	binary := make([]byte, 100_000)
	for i := range binary {
		binary[i] = byte(i * 7)
	}
	for name, body := range map[string][]byte{"empty": nil, "text": []byte("hällo \"world\"\n"), "binary": binary} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://gateway/", bytes.NewReader(body))
			r.URL = &url.URL{Path: "/a b", RawPath: "/a%20b", RawQuery: "q=1"}
			r.Header.Set("Content-Type", "application/x-mine")
			answer, err := s.Backend.Invoke(t.Context(), s.name("echo"), r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(answer.Body)
			if err := errors.Join(err, answer.Body.Close()); err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/x-mine" || !bytes.Equal(got, body) {
				t.Errorf("status %d, header %v, %d bytes of %d", answer.StatusCode, answer.Header, len(got), len(body))
			}
		})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	r := httptest.NewRequestWithContext(ended, http.MethodGet, "/", nil)
	if _, err := s.Backend.Invoke(ended, s.name("echo"), r); !errors.Is(err, context.Canceled) {
		t.Errorf("Invoke by a client that is gone = %v, want context.Canceled", err)
	}
}

func scale(t *testing.T, s Subject) {
	scaler, ok := can[backend.Scaler](t, s, Scale)
	if !ok {
		return
	}
	if err := scaler.Scale(t.Context(), s.name("scaled"), 3); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("Scale of a missing function = %v, want ErrNotFound", err)
	}
	d := s.deployment("scaled")
	d.Annotations = &map[string]string{"kept": "yes"}
	s.deploy(t, d)
	if err := scaler.Scale(t.Context(), s.name("scaled"), 3); err != nil {
		t.Fatal(err)
	}
	if got := s.status(t, "scaled"); got.Replicas != 3 || (*got.Annotations)["kept"] != "yes" {
		t.Errorf("replicas %d, annotations %v", got.Replicas, *got.Annotations)
	}
}

func concurrent(t *testing.T, s Subject) {
	const n = 8
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			d := s.deployment("contended")
			d.EnvVars = map[string]string{"BY": string(rune('a' + i))}
			d.Annotations = &map[string]string{"by": string(rune('a' + i))}
			errs[i] = s.Backend.Deploy(t.Context(), d)
		})
	}
	wait.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, backend.ErrConflict):
			t.Errorf("Deploy = %v, want nil or ErrConflict", err)
		}
	}
	got := s.status(t, "contended")
	if won == 0 || got.EnvVars["BY"] != (*got.Annotations)["by"] {
		t.Errorf("%d of %d succeeded; envVars %v and annotations %v", won, n, got.EnvVars, *got.Annotations)
	}
}
