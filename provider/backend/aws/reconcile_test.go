package aws

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger/triggertest"
)

// everyKind is a deployment with triggers of every kind.
func everyKind(more ...string) types.FunctionDeployment {
	const p, account = annotations.Prefix, ":us-east-1:000000000000:"
	return annotated(append(more, p+"sqs", "arn:aws:sqs"+account+"a", p+"s3", "uploads", p+"sns", "arn:aws:sns"+account+"news", p+"url", "NONE", p+"schedule", "rate(1 day)")...)
}

// TestTriggersThatAnotherToolRemovedComeBack deploys once more after all of them,
// or all but the permissions, are gone.
func TestTriggersThatAnotherToolRemovedComeBack(t *testing.T) {
	for name, again := range map[string]types.FunctionDeployment{"the same": everyKind(), "another": everyKind("more", "x")} {
		for _, permitted := range []bool{false, true} {
			f := newFakeLambda(t)
			f.triggers = triggertest.New()
			f.triggers.Notifications["uploads"] = triggertest.Notifications{}
			if err := f.deploy(t.Context(), t, everyKind(), "zip"); err != nil {
				t.Fatal(err)
			}
			want, permissions := f.triggers.Summary(), f.triggers.Statements
			f.triggers = triggertest.New()
			f.triggers.Notifications["uploads"] = triggertest.Notifications{}
			if permitted {
				f.triggers.Statements = permissions
			}
			if err := f.deploy(t.Context(), t, again, "zip"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, f.triggers.Summary()); diff != "" {
				t.Errorf("%s deployment, permitted %t (-want +got)\n%s", name, permitted, diff)
			}
		}
	}
}

// TestTriggersOfADamagedRecordGo lets the record be gone by which it is known
// that there are any.
func TestTriggersOfADamagedRecordGo(t *testing.T) {
	for name, change := range map[string]func(*fakeLambda) error{
		"update": func(f *fakeLambda) error { return f.deploy(t.Context(), t, types.FunctionDeployment{}, "zip") },
		"delete": func(f *fakeLambda) error { return f.Delete(t.Context(), hello) },
	} {
		f := newFakeLambda(t)
		f.triggers = triggertest.New()
		f.triggers.Notifications["uploads"] = triggertest.Notifications{}
		if err := f.deploy(t.Context(), t, everyKind(), "zip"); err != nil {
			t.Fatal(err)
		}
		delete(f.functions["hello"].tags, tagRecord)
		if err := change(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]string{"0 statements"}, f.triggers.Summary()); diff != "" {
			t.Errorf("after %s (-want +got)\n%s", name, diff)
		}
	}
}
