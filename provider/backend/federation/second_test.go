package federation

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func TestWeights(t *testing.T) {
	f := newFed(t)
	f.twoFaced(t, "", WeightAnnotation, "20", StickyAnnotation, "x-user")
	const n = 4000
	second := 0
	for range n {
		who, err := call(t, f, "f", "")
		if err != nil {
			t.Fatal(err)
		}
		if who == "b" {
			second++
		}
	}
	// Four standard deviations of a binomial distribution.
	if math.Abs(float64(second)-0.2*n) > 4*math.Sqrt(n*0.2*0.8) {
		t.Errorf("%d of %d went to the second place, want about a fifth", second, n)
	}
	users := map[string]string{}
	second = 0
	for i := range n {
		user := fmt.Sprint("user-", i)
		users[user], _ = call(t, f, "f", "", "X-User", user)
		if users[user] == "b" {
			second++
		}
	}
	if math.Abs(float64(second)-0.2*n) > 4*math.Sqrt(n*0.2*0.8) {
		t.Errorf("%d of %d users went to the second place, want about a fifth", second, n)
	}
	f.Backend = reopen(t, f.options, nil) // another process says the same
	for user, where := range users {
		if who, _ := call(t, f, "f", "", "X-User", user); who != where {
			t.Fatalf("%s went to %s and then to %s", user, where, who)
		}
	}
	f.twoFaced(t, "", WeightAnnotation, "50", StickyAnnotation, "x-user")
	for user, where := range users {
		if who, _ := call(t, f, "f", "", "X-User", user); where == "b" && who != "b" {
			t.Fatalf("%s went back to %s when the weight grew", user, who)
		}
	}
}

func TestAllWeightFallsBackToTheHome(t *testing.T) {
	f := newFed(t)
	f.twoFaced(t, "", WeightAnnotation, "100")
	if who, err := call(t, f, "f", "x"); who != "b" || err != nil {
		t.Errorf("served by %s, %v", who, err)
	}
	f.b.off.Store(true)
	if who, err := call(t, f, "f", "x"); who != "a" || err != nil {
		t.Errorf("served by %s, %v", who, err)
	}
}

func TestBudget(t *testing.T) {
	f := newFed(t)
	var later atomic.Int64      // months
	clock := func(b *Backend) { // memory counts by the month that it is
		b.now = func() time.Time { return time.Now().AddDate(0, int(later.Load()), 0) }
	}
	f.Backend = reopen(t, f.options, clock)
	f.twoFaced(t, "", BudgetAnnotation, "requests=5")
	var served string
	for range 8 {
		who, err := call(t, f, "f", "x")
		if err != nil {
			t.Fatal(err)
		}
		served += who
	}
	if served != "aaaaabbb" {
		t.Errorf("served by %s", served)
	}
	// What was used is known to the child, not only to this process.
	f.Backend = reopen(t, f.options, clock)
	f.askBudget(t.Context(), f.index.find(backend.Name{Namespace: namespace, Function: "f"}))
	if who, _ := call(t, f, "f", "x"); who != "b" {
		t.Errorf("after a restart served by %s", who)
	}
	// A child that is over its budget gets nothing, whatever the second does.
	f.b.off.Store(true)
	if who, err := call(t, f, "f", "x"); !errors.Is(err, backend.ErrUnreachable) {
		t.Errorf("served by %s, %v", who, err)
	}
	f.b.off.Store(false)
	later.Store(1)
	if who, _ := call(t, f, "f", "x"); who != "a" {
		t.Errorf("in the next month served by %s", who)
	}
}

func TestBudgetOfGBSeconds(t *testing.T) {
	f := newFed(t)
	f.twoFaced(t, "", BudgetAnnotation, "free-tier")
	e := f.index.find(backend.Name{Namespace: namespace, Function: "f"})
	if e.budget.over(f.now) || e.budget.limits != (limits{1_000_000, 400_000}) {
		t.Errorf("%+v", e.budget)
	}
	e.budget.report(monthOf(f.now()), backend.Consumption{GBSeconds: 400_000})
	if who, _ := call(t, f, "f", "x"); who != "b" {
		t.Errorf("served by %s", who)
	}
	e.budget.report(monthOf(f.now()).AddDate(0, -1, 0), backend.Consumption{}) // comes too late
	if who, _ := call(t, f, "f", "x"); who != "b" {
		t.Errorf("served by %s", who)
	}
}
