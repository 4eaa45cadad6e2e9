package aws

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
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
			f.triggers = newFakeTriggers()
			f.triggers.notifications["uploads"] = notificationsXML{}
			if err := f.deploy(t.Context(), t, everyKind(), "zip"); err != nil {
				t.Fatal(err)
			}
			want, permissions := f.triggers.summary(), f.triggers.statements
			f.triggers = newFakeTriggers()
			f.triggers.notifications["uploads"] = notificationsXML{}
			if permitted {
				f.triggers.statements = permissions
			}
			if err := f.deploy(t.Context(), t, again, "zip"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, f.triggers.summary()); diff != "" {
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
		f.triggers = newFakeTriggers()
		f.triggers.notifications["uploads"] = notificationsXML{}
		if err := f.deploy(t.Context(), t, everyKind(), "zip"); err != nil {
			t.Fatal(err)
		}
		delete(f.functions["hello"].tags, tagRecord)
		if err := change(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]string{"0 statements"}, f.triggers.summary()); diff != "" {
			t.Errorf("after %s (-want +got)\n%s", name, diff)
		}
	}
}

// TestOptionsThatGo lets a mapping be as a new one is when its options are not
// named any more.
func TestOptionsThatGo(t *testing.T) {
	for kind, c := range map[string]struct{ source, options, want string }{
		"sqs": {"arn:aws:sqs:us-east-1:000000000000:a", `?batch-size=5&window=7s&concurrency=3&report-failures=true&filter={"a":["b"]}`,
			`{"BatchSize":10,"MaximumBatchingWindowInSeconds":0,"ScalingConfig":{},"FunctionResponseTypes":[],"FilterCriteria":{"Filters":[]}}`},
		"kinesis": {"arn:aws:kinesis:us-east-1:000000000000:stream/a", `?batch-size=5&window=7s&parallelization=2&retries=3&max-age=90s&bisect=true&on-failure=arn:aws:sqs:us-east-1:000000000000:b`,
			`{"BatchSize":100,"MaximumBatchingWindowInSeconds":0,"ParallelizationFactor":1,"MaximumRetryAttempts":-1,"MaximumRecordAgeInSeconds":-1,"BisectBatchOnFunctionError":false,
			  "DestinationConfig":{"OnFailure":{"Destination":""}},"FunctionResponseTypes":[],"FilterCriteria":{"Filters":[]}}`},
		"kafka": {"b:9092", "?topic=t&batch-size=5&window=7s&secret=arn:aws:secretsmanager:us-east-1:000000000000:secret:s",
			`{"BatchSize":100,"MaximumBatchingWindowInSeconds":0,"SourceAccessConfigurations":[],"FunctionResponseTypes":[],"FilterCriteria":{"Filters":[]}}`},
	} {
		f := newFakeLambda(t)
		f.triggers = newFakeTriggers()
		bare := ""
		if kind == "kafka" {
			bare = "?topic=t"
		}
		for _, options := range []string{c.options, bare} {
			if err := f.deploy(t.Context(), t, annotated(annotations.Prefix+kind, c.source+options), "zip"); err != nil {
				t.Fatal(err)
			}
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		for _, m := range f.triggers.mappings {
			for field, value := range want {
				if diff := cmp.Diff(value, m[field]); diff != "" {
					t.Errorf("%s, %s (-want +got)\n%s", kind, field, diff)
				}
			}
		}
	}
}
