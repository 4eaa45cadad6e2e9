package backendtest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func namespaces(t *testing.T, s Subject) {
	keeper, ok := can[backend.NamespaceKeeper](t, s, Namespaces)
	if !ok {
		return
	}
	ctx := t.Context()
	name := s.called("team-a")
	team := types.FunctionNamespace{Name: name, Labels: map[string]string{"openfaas": "1", "team": "a"}, Annotations: map[string]string{"openfaas": "1", "why": "a, b = ä"}}
	_, err := keeper.Namespace(ctx, name)
	if lacks(t, s, Namespaces, err) {
		return
	}
	want(t, "Namespace of a missing one", err, backend.ErrNotFound)
	want(t, "UpdateNamespace of a missing one", keeper.UpdateNamespace(ctx, team), backend.ErrNotFound)
	want(t, "DeleteNamespace of a missing one", keeper.DeleteNamespace(ctx, name), backend.ErrNotFound)
	must(t, "create namespace", keeper.CreateNamespace(ctx, team))
	want(t, "a second CreateNamespace", keeper.CreateNamespace(ctx, team), backend.ErrExists)
	same := func(wanted types.FunctionNamespace) {
		t.Helper()
		got, err := keeper.Namespace(ctx, name)
		must(t, "read namespace", err)
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("namespace (-want +got)\n%s", diff)
		}
	}
	same(team)
	team.Labels = map[string]string{"openfaas": "1", "team": "b"}
	must(t, "update namespace", keeper.UpdateNamespace(ctx, team))
	same(team)
	if lister, ok := s.Backend.(backend.Namespacer); ok {
		names, err := lister.Namespaces(ctx)
		must(t, "list namespaces", err)
		if len(names) == 0 || names[0] != s.Namespace || !slices.Contains(names, name) {
			t.Errorf("namespaces are %v, want %s first and %s among them", names, s.Namespace, name)
		}
	} else {
		t.Errorf("%T is a NamespaceKeeper and no Namespacer", s.Backend)
	}

	// Functions of one name are two functions in two namespaces.
	s.deploy(t, s.deployment("twin"))
	other := s.deployment("twin")
	other.Namespace, other.EnvVars = name, map[string]string{"WHERE": "a"}
	s.deploy(t, other)
	there := backend.Name{Namespace: name, Function: s.called("twin")}
	status, err := s.Backend.Status(ctx, there)
	must(t, "status", err)
	if status.EnvVars["WHERE"] != "a" || status.Namespace != name || len(s.status(t, "twin").EnvVars) != 0 {
		t.Errorf("the twins are %+v and %+v", status, s.status(t, "twin"))
	}
	want(t, "DeleteNamespace with a function in it", keeper.DeleteNamespace(ctx, name), backend.ErrConflict)
	must(t, "delete", s.Backend.Delete(ctx, there))
	s.status(t, "twin")
	must(t, "delete namespace", keeper.DeleteNamespace(ctx, name))
	_, err = keeper.Namespace(ctx, name)
	want(t, "Namespace of one that was deleted", err, backend.ErrNotFound)
	want(t, "DeleteNamespace of the default one", keeper.DeleteNamespace(ctx, s.Namespace), backend.ErrConflict)
}

func secrets(t *testing.T, s Subject) {
	keeper, ok := can[backend.SecretKeeper](t, s, Secrets)
	if !ok {
		return
	}
	ctx := t.Context()
	list := func() []types.Secret {
		t.Helper()
		out, err := keeper.Secrets(ctx, s.Namespace)
		must(t, "list secrets", err)
		return out
	}
	if _, err := keeper.Secrets(ctx, s.Namespace); lacks(t, s, Secrets, err) {
		return
	}
	if got := list(); len(got) != 0 {
		t.Errorf("secrets at first: %v", got)
	}
	secret := func(name, value string) types.Secret {
		return types.Secret{Name: name, Namespace: s.Namespace, Value: value}
	}
	want(t, "UpdateSecret of a missing one", keeper.UpdateSecret(ctx, secret("bt-one", "x")), backend.ErrNotFound)
	want(t, "DeleteSecret of a missing one", keeper.DeleteSecret(ctx, s.Namespace, "bt-one"), backend.ErrNotFound)
	must(t, "create secret", keeper.CreateSecret(ctx, secret("bt-two", "zwei")))
	raw := types.Secret{Name: "bt-one", Namespace: s.Namespace, Value: "trimmed", RawValue: []byte{0, 255, '\n'}}
	if s.TextSecrets {
		want(t, "CreateSecret of bytes", keeper.CreateSecret(ctx, raw), backend.ErrInvalid)
		raw.RawValue = []byte("trimmed\n")
	}
	must(t, "create secret", keeper.CreateSecret(ctx, raw))
	want(t, "a second CreateSecret", keeper.CreateSecret(ctx, secret("bt-one", "x")), backend.ErrExists)
	must(t, "update secret", keeper.UpdateSecret(ctx, secret("bt-two", "deux")))
	wanted := []types.Secret{{Name: "bt-one", Namespace: s.Namespace}, {Name: "bt-two", Namespace: s.Namespace}}
	if diff := cmp.Diff(wanted, list()); diff != "" {
		t.Errorf("secrets (-want +got)\n%s", diff)
	}
	d := s.deployment("secretive")
	d.Secrets = []string{"bt-missing"}
	want(t, "Deploy with a missing secret", s.Backend.Deploy(ctx, d), backend.ErrInvalid)
	d.Secrets = []string{"bt-one", "bt-two"}
	s.deploy(t, d)
	if got := s.status(t, "secretive").Secrets; !slices.Equal(got, d.Secrets) {
		t.Errorf("secrets of the function are %v", got)
	}
	must(t, "delete", s.Backend.Delete(ctx, s.name("secretive")))
	must(t, "delete secret", keeper.DeleteSecret(ctx, s.Namespace, "bt-one"))
	must(t, "delete secret", keeper.DeleteSecret(ctx, s.Namespace, "bt-two"))
	if got := list(); len(got) != 0 {
		t.Errorf("secrets after all were deleted: %v", got)
	}
}
