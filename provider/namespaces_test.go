package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/emulator/faults"
	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
)

// TestNamespacesOfRolesThatCannotBeAssumed: one is not made, and one that is there
// can be given another role, since otherwise it could not be removed either.
func TestNamespacesOfRolesThatCannotBeAssumed(t *testing.T) {
	c := newCloud(t)
	open := func() *aws.Backend { // each as after a restart: credentials of a role last for an hour
		b, err := aws.Open(t.Context(), c.options("openfaas-fn", c.url.String(), time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	team := types.FunctionNamespace{Name: "team", Annotations: map[string]string{"com.openfaas.lambda/role-arn": "arn:aws:iam::111122223333:role/gone"}}
	if err := open().CreateNamespace(t.Context(), team); err != nil {
		t.Fatal(err)
	}
	id, err := c.server.Faults().Add(faults.Fault{Service: "sts", Operation: "AssumeRole", Kind: faults.Failure, Status: 403, Code: "AccessDenied"})
	if err != nil {
		t.Fatal(err)
	}
	other := types.FunctionNamespace{Name: "other", Annotations: team.Annotations}
	b := open()
	for name, f := range map[string]struct {
		err  error
		kind error
		says string
	}{
		"create":            {b.CreateNamespace(t.Context(), other), backend.ErrInvalid, "assume role arn:aws:iam::111122223333:role/gone of namespace other"},
		"delete":            {b.DeleteNamespace(t.Context(), "team"), backend.ErrConflict, "what is in it is not known"},
		"move to the like":  {b.UpdateNamespace(t.Context(), types.FunctionNamespace{Name: "team", Annotations: map[string]string{"com.openfaas.lambda/role-arn": "arn:aws:iam::111122223333:role/gone2"}}), backend.ErrInvalid, "gone2"},
		"change the labels": {b.UpdateNamespace(t.Context(), types.FunctionNamespace{Name: "team", Annotations: team.Annotations, Labels: map[string]string{"a": "b"}}), nil, ""},
	} {
		if !errors.Is(f.err, f.kind) || f.kind != nil && !strings.Contains(f.err.Error(), f.says) {
			t.Errorf("%s: %v, want %v, %q", name, f.err, f.kind, f.says)
		}
	}
	if _, err := b.Namespace(t.Context(), "other"); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("it was made all the same: %v", err)
	}
	if err := b.UpdateNamespace(t.Context(), types.FunctionNamespace{Name: "team"}); err != nil {
		t.Errorf("give up the role: %v", err)
	}
	if err := b.DeleteNamespace(t.Context(), "team"); err != nil {
		t.Errorf("delete: %v", err)
	}
	c.server.Faults().Remove(id)
}
