package aws

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger/triggertest"
)

// TestTriggersAfterFaults lets each call of an update that changes every kind of
// trigger, and of a deletion, fail, and its provider end there: after the next
// list of another provider there are the triggers of what serves, and no other.
func TestTriggersAfterFaults(t *testing.T) {
	const p, sqs, sns = annotations.Prefix, "arn:aws:sqs:us-east-1:000000000000:", "arn:aws:sns:us-east-1:000000000000:"
	old := annotated(p+"sqs", sqs+"a?batch-size=5,"+sqs+"b", p+"s3", "uploads?prefix=in/", p+"sns", sns+"news", p+"url", "NONE", p+"schedule", "rate(1 day)")
	next := annotated(p+"sqs", sqs+"a?batch-size=6", p+"s3", "images", p+"sns", sns+`news?filter={"a":["b"]}`, p+"schedule", "rate(2 days)", p+"url", "AWS_IAM")
	update := func(ctx context.Context, f *fakeLambda) error { return f.deploy(ctx, t, next, "zip") }
	remove := func(ctx context.Context, f *fakeLambda) error { return f.Delete(ctx, hello) }
	create := func(ctx context.Context, f *fakeLambda) error { return f.deploy(ctx, t, old, "zip") }
	count, known := 0, map[string][]string{}
	for _, s := range []struct {
		name   string
		before *types.FunctionDeployment
		change func(context.Context, *fakeLambda) error
	}{{"create", nil, create}, {"update", &old, update}, {"delete", &old, remove}} {
		for _, fault := range []string{"refused", "killed before", "killed after"} {
			for at := 0; ; at++ {
				calls := triggerCase(t, fmt.Sprintf("%s, %s at call %d", s.name, fault, at+1), s.before, s.change, fault, at, known)
				if at >= calls {
					break
				}
				count++
			}
		}
	}
	t.Logf("%d cases", count)
}

// triggerCase returns how many calls the change made. known are the triggers of
// deployments by their bucket.
func triggerCase(t *testing.T, name string, before *types.FunctionDeployment, change func(context.Context, *fakeLambda) error, fault string, at int, known map[string][]string) int {
	t.Helper()
	f := newFakeLambda(t)
	f.opts.TakeOver = -1
	f.triggers = triggertest.New()
	f.triggers.Notifications["uploads"], f.triggers.Notifications["images"] = triggertest.Notifications{}, triggertest.Notifications{}
	calls, broken, armed := 0, "", false
	f.each = func(w http.ResponseWriter, r *http.Request) bool {
		f.mu.Lock()
		if !armed {
			f.mu.Unlock()
			return false
		}
		n, op := calls, r.Method+" "+r.URL.Path+r.Header.Get("X-Amz-Target")
		calls++
		if n == at {
			broken = op
		}
		f.mu.Unlock()
		dead := strings.HasPrefix(fault, "killed")
		if n < at || !dead && op != broken {
			return false
		}
		switch {
		case fault == "refused":
			refuse(w, 403, "AccessDeniedException", "fault")
		case fault == "killed after" && n == at:
			f.serve(httptest.NewRecorder(), r)
			cut(w)
		default:
			cut(w)
		}
		return true
	}
	if before != nil {
		if err := f.deploy(t.Context(), t, *before, "zip"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	arm := func(on bool) int {
		f.mu.Lock()
		defer f.mu.Unlock()
		armed = on
		return calls
	}
	arm(true)
	err := change(t.Context(), f)
	made := arm(false)
	// Another provider comes by.
	f.Backend = f.open(t)
	f.opts.TakeOver = -1
	list, listErr := f.List(t.Context(), "openfaas-fn")
	if listErr != nil {
		t.Errorf("%s: list: %v", name, listErr)
	}
	want := []string{"0 statements"}
	if len(list) > 0 {
		key := (*list[0].Annotations)[annotations.Prefix+"s3"]
		if known[key] == nil {
			known[key] = triggersOf(t, *list[0].Annotations)
		}
		want = known[key]
	}
	if diff := cmp.Diff(want, f.triggers.Summary()); diff != "" {
		t.Errorf("%s: it said %v; %d functions; triggers (-want +got)\n%s", name, err, len(list), diff)
	}
	return made
}

// triggersOf are the triggers of a deployment to which nothing happens.
func triggersOf(t *testing.T, annotations map[string]string) []string {
	t.Helper()
	f := newFakeLambda(t)
	f.triggers = triggertest.New()
	f.triggers.Notifications["uploads"], f.triggers.Notifications["images"] = triggertest.Notifications{}, triggertest.Notifications{}
	if err := f.deploy(t.Context(), t, types.FunctionDeployment{Annotations: &annotations}, "zip"); err != nil {
		t.Fatal(err)
	}
	return f.triggers.Summary()
}
