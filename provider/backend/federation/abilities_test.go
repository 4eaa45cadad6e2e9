package federation

import (
	"context"
	"errors"
	"testing"

	"github.com/openfaas/faas-provider/logs"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

type (
	ctxType    = context.Context
	statusType = types.FunctionStatus
)

func secrets(t *testing.T, b backend.SecretKeeper) int {
	t.Helper()
	kept, err := b.Secrets(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	return len(kept)
}

func TestSecretsAreWhereFunctionsCanBe(t *testing.T) {
	f := newFed(t)
	ctx := t.Context()
	s := types.Secret{Name: "s", Namespace: namespace, Value: "v"}
	if err := f.CreateSecret(ctx, s); err != nil {
		t.Fatal(err)
	}
	if secrets(t, f) != 1 || secrets(t, f.a) != 1 || secrets(t, f.b) != 1 || secrets(t, f.c) != 1 {
		t.Error("not everywhere")
	}
	if err := f.CreateSecret(ctx, s); !errors.Is(err, backend.ErrExists) {
		t.Errorf("again: %v", err)
	}
	// One child lost it: it gets it again.
	if err := f.b.DeleteSecret(ctx, namespace, "s"); err != nil {
		t.Fatal(err)
	}
	if err := f.UpdateSecret(ctx, s); err != nil || secrets(t, f.b) != 1 {
		t.Errorf("update: %v", err)
	}
	if err := f.b.DeleteSecret(ctx, namespace, "s"); err != nil {
		t.Fatal(err)
	}
	if err := f.CreateSecret(ctx, s); err != nil || secrets(t, f.b) != 1 {
		t.Errorf("create: %v", err)
	}
	d := function("f", GatewayAnnotation, "b")
	d.Secrets = []string{"s"}
	f.deploy(t, d)
	if err := f.DeleteSecret(ctx, namespace, "s"); !errors.Is(err, backend.ErrConflict) || secrets(t, f.a) != 1 {
		t.Errorf("delete one in use: %v", err)
	}
	// When a child is down, a new secret is nowhere.
	f.c.off.Store(true)
	f.look(ctx, f.byName["c"], true)
	if err := f.CreateSecret(ctx, types.Secret{Name: "other", Namespace: namespace, Value: "v"}); !errors.Is(err, backend.ErrUnreachable) || secrets(t, f.a) != 1 {
		t.Errorf("with a child down: %v, %d secrets", err, secrets(t, f.a))
	}
}

func TestSecretsByFunction(t *testing.T) {
	f := newFed(t, func(o *Options) { o.Secrets = SecretsByFunction })
	f.deploy(t, function("f", GatewayAnnotation, "c"))
	if err := f.CreateSecret(t.Context(), types.Secret{Name: "s", Namespace: namespace, Value: "v"}); err != nil {
		t.Fatal(err)
	}
	if secrets(t, f.a) != 1 || secrets(t, f.b) != 0 || secrets(t, f.c) != 1 {
		t.Errorf("secrets: a %d, b %d, c %d", secrets(t, f.a), secrets(t, f.b), secrets(t, f.c))
	}
}

func TestLogsOfBothPlaces(t *testing.T) {
	f := newFed(t)
	f.twoFaced(t, "", WeightAnnotation, "50")
	for range 20 {
		if _, err := call(t, f, "f", "x"); err != nil {
			t.Fatal(err)
		}
	}
	messages, err := f.Query(t.Context(), logs.Request{Name: "f", Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range messages {
		n++
	}
	if n != 20 {
		t.Errorf("%d lines of 20", n)
	}
	f.b.off.Store(true)
	f.look(t.Context(), f.byName["b"], true)
	if _, err := f.Query(t.Context(), logs.Request{Name: "f", Namespace: namespace}); err != nil {
		t.Errorf("with the second place down: %v", err)
	}
}

func TestScaleIsOfBothPlaces(t *testing.T) {
	f := newFed(t)
	f.twoFaced(t, "")
	name := backend.Name{Namespace: namespace, Function: "f"}
	if err := f.Scale(t.Context(), name, 4); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*part{f.a, f.b} {
		if status, err := p.Status(t.Context(), name); err != nil || status.Replicas != 4 {
			t.Errorf("%d replicas, %v", status.Replicas, err)
		}
	}
	f.a.off.Store(true)
	if status, err := f.Status(t.Context(), name); err != nil || status.Replicas != 4 {
		t.Errorf("status with the home down: %+v, %v", status, err)
	}
}

func TestNamespacesAreThoseOfAll(t *testing.T) {
	f := newFed(t)
	ctx := t.Context()
	if err := f.b.CreateNamespace(ctx, types.FunctionNamespace{Name: "only-b"}); err != nil {
		t.Fatal(err)
	}
	f.look(ctx, f.byName["b"], true)
	if names, err := f.Namespaces(ctx); err != nil || len(names) != 2 || names[1] != "only-b" {
		t.Errorf("%v, %v", names, err)
	}
	if err := f.CreateNamespace(ctx, types.FunctionNamespace{Name: "only-b"}); err != nil {
		t.Errorf("make it everywhere: %v", err)
	}
	if ns, err := f.c.Namespace(ctx, "only-b"); err != nil {
		t.Errorf("%v, %v", ns, err)
	}
	d := function("f", GatewayAnnotation, "c")
	d.Namespace = "only-b"
	f.deploy(t, d)
	if err := f.DeleteNamespace(ctx, "only-b"); !errors.Is(err, backend.ErrConflict) {
		t.Errorf("with a function in it: %v", err)
	}
	if _, err := f.a.Namespace(ctx, "only-b"); err != nil {
		t.Errorf("it is gone from a: %v", err)
	}
}
