package aws

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// seed puts functions that are deployed and at rest into the fake, and others'.
func (f *fakeLambda) seed(t *testing.T, ours, others int) {
	t.Helper()
	for i := range ours + others {
		name := fmt.Sprintf("f%05d", i)
		m := mark{fmt.Sprintf("%016x", i), "01234567"}
		function := &fakeFunction{tags: map[string]string{"owner": "x"}, live: 1, config: map[string]any{
			"FunctionName": name, "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:" + name, "Description": *m.description("image"),
			"Environment": map[string]any{"Variables": map[string]any{"NAME": name}},
		}}
		function.touch()
		function.versions = []map[string]any{function.config}
		f.functions[name] = function
		if i >= ours {
			continue
		}
		d := types.FunctionDeployment{Service: name, Namespace: "openfaas-fn", Image: "image", Labels: &map[string]string{"n": name}, Annotations: &map[string]string{"long": noise(600)}}
		r := newRecord(d, m.digest, time.Now())
		function.tags = inTags(t, document{Service: name, Namespace: "openfaas-fn", Created: r.At, Current: m.digest, Records: []record{r}})
	}
}

func TestAThousandFunctionsArePolledCheaply(t *testing.T) {
	f := newFakeLambda(t)
	f.page, f.indexed = 50, true
	f.seed(t, 1000, 500)
	list, err := f.List(t.Context(), "openfaas-fn")
	if err != nil || len(list) != 1000 {
		t.Fatalf("%d functions, %v", len(list), err)
	}
	if last := list[999]; (*last.Labels)["n"] != "f00999" || last.EnvVars["NAME"] != "f00999" || len((*last.Annotations)["long"]) != 600 {
		t.Errorf("%+v", last)
	}
	once := len(f.calls)
	if want := 1500/50 + 1000/100 + 1; once != want { // functions, tags of ours, tags of the adopted
		t.Errorf("a list takes %d calls, want %d", once, want)
	}
	// A gateway asks every five seconds for two minutes; each minute a function
	// is scaled. The time between is taken off the list's.
	const polls, every = 24, 5 * time.Second
	f.calls = nil
	for poll := range polls {
		f.home.listing.until = f.home.listing.until.Add(-every)
		if poll%12 == 6 {
			f.cache.forget(backend.Name{Namespace: "openfaas-fn", Function: list[poll].Name})
		}
		if list, err := f.List(t.Context(), "openfaas-fn"); err != nil || len(list) != 1000 {
			t.Fatalf("%d functions, %v", len(list), err)
		}
	}
	// GetFunction has a limit of its own.
	calls := len(slices.DeleteFunc(slices.Clone(f.calls), func(op string) bool { return op == "GetFunction" }))
	rate := float64(calls) / (polls * every).Seconds()
	t.Logf("1,000 functions of 1,500: %d calls a list, %.2f calls a second when polled every %s, of 15", once, rate, every)
	if rate > 15.0/4 {
		t.Errorf("%.1f calls a second are too many", rate)
	}
}

func TestWithoutTheIndexAListIsKeptForLonger(t *testing.T) {
	f := newFakeLambda(t)
	f.page = 50
	f.seed(t, 100, 100)
	list, err := f.List(t.Context(), "openfaas-fn")
	if err != nil || len(list) != 100 {
		t.Fatalf("%d functions, %v", len(list), err)
	}
	calls := 0
	for _, op := range f.calls {
		if op != "GetFunction" {
			calls++
		}
	}
	kept := time.Until(f.home.listing.until)
	if rate := float64(calls) / kept.Seconds(); calls < 200 || rate > 15.0/4 {
		t.Errorf("%d calls, kept for %s", calls, kept)
	}
}
