package federation

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

var errKilled = errors.New("killed")

func TestAChangedAnnotationMovesTheFunction(t *testing.T) {
	f := newFed(t)
	f.deploy(t, function("f"))
	if f.at("f") != "a" {
		t.Fatalf("is at %s", f.at("f"))
	}
	d := function("f", GatewayAnnotation, "b", "mine", "kept")
	f.a.beforeDel = func() {
		// Before it leaves its old place it answers at the new one.
		if who, err := call(t, f, "f", "x"); who != "b" || err != nil {
			t.Errorf("while it moves, served by %s, %v", who, err)
		}
	}
	f.deploy(t, d)
	if f.at("f") != "b" {
		t.Errorf("is at %s", f.at("f"))
	}
	status, err := f.Status(t.Context(), backend.NameOf(d))
	if diff := cmp.Diff(d.Annotations, status.Annotations); err != nil || diff != "" {
		t.Errorf("%v (-deployed +read)\n%s", err, diff)
	}
	listed, gaps, err := f.ListPartly(t.Context(), namespace)
	if err != nil || len(listed) != 1 || len(gaps.Duplicates) != 0 {
		t.Errorf("%v, %+v, %v", listed, gaps, err)
	}
	if diff := cmp.Diff(d.Annotations, listed[0].Annotations); diff != "" {
		t.Errorf("(-deployed +listed)\n%s", diff)
	}
	f.a.beforeDel = nil
	f.deploy(t, function("f", GatewayAnnotation, "a", OverflowAnnotation, "c")) // to one place more
	f.deploy(t, function("f", GatewayAnnotation, "c", OverflowAnnotation, "a")) // the other way round
	if f.at("f") != "ac" {
		t.Errorf("is at %s", f.at("f"))
	}
	f.deploy(t, function("f")) // the annotation is gone
	if f.at("f") != "a" {
		t.Errorf("is at %s", f.at("f"))
	}
}

func TestWhatTheDefaultPutNowhereStaysWhereItIs(t *testing.T) {
	f := newFed(t)
	if err := f.b.Deploy(t.Context(), function("f")); err != nil { // by somebody else
		t.Fatal(err)
	}
	f.deploy(t, function("f", "x", "y"))
	if f.at("f") != "b" {
		t.Errorf("is at %s", f.at("f"))
	}
}

// TestMovesThatAreInterrupted ends the program at every step of a move, as a
// crash does, and starts another one over the same children.
func TestMovesThatAreInterrupted(t *testing.T) {
	for _, c := range []struct {
		step          string
		unready       bool // the new copy has no replicas
		after, served string
	}{
		{"before b", false, "a", "a"},
		{"ready", false, "b", "b"},
		{"switched", false, "b", "b"},
		{"drained a", false, "b", "b"},
		{"ready", true, "a", "a"},
	} {
		t.Run(c.step, func(t *testing.T) {
			f := newFed(t)
			f.deploy(t, function("f"))
			f.reached = func(step string) error {
				if step == c.step {
					return errKilled
				}
				return nil
			}
			if err := f.Deploy(t.Context(), function("f", GatewayAnnotation, "b")); !errors.Is(err, errKilled) {
				t.Fatalf("%v at step %s", err, c.step)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			f.b.unready.Store(c.unready)
			o := f.options
			o.MoveTimeout = time.Nanosecond
			f.Backend = reopen(t, o, nil)
			if f.at("f") != c.after {
				t.Errorf("is at %s, want %s", f.at("f"), c.after)
			}
			if who, err := call(t, f, "f", "x"); who != c.served || err != nil {
				t.Errorf("served by %s, %v", who, err)
			}
			if _, gaps, err := f.ListPartly(t.Context(), namespace); err != nil || len(gaps.Duplicates) != 0 {
				t.Errorf("%+v, %v", gaps, err)
			}
		})
	}
}

// TestThereAndBackWithinASecond: times of creation do not tell the copies of a
// function apart that moves there and back, each time interrupted.
func TestThereAndBackWithinASecond(t *testing.T) {
	for _, step := range []string{"ready", "switched"} {
		t.Run(step, func(t *testing.T) {
			f := newFed(t)
			f.deploy(t, function("f"))
			for i, to := range strings.Split("babacbca", "") {
				f.reached = func(at string) error {
					if at == step {
						return errKilled
					}
					return nil
				}
				if err := f.Deploy(t.Context(), function("f", GatewayAnnotation, to)); !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
				if i%3 == 2 { // the move after it begins before it is settled
					f.reached = func(string) error { return nil }
					continue
				}
				f.Backend = reopen(t, f.options, nil)
				if who, err := call(t, f, "f", "x"); f.at("f") != to || who != to || err != nil {
					t.Fatalf("move %d: is at %s, served by %s, %v; want %s", i, f.at("f"), who, err, to)
				}
			}
		})
	}
}

func TestANewCopyThatMayBecomeReadyIsWaitedFor(t *testing.T) {
	f := newFed(t)
	f.deploy(t, function("f"))
	f.reached = func(step string) error {
		if step == "ready" {
			return errKilled
		}
		return nil
	}
	_ = f.Deploy(t.Context(), function("f", GatewayAnnotation, "b"))
	f.b.unready.Store(true)
	f.Backend = reopen(t, f.options, nil)
	if who, err := call(t, f, "f", "x"); f.at("f") != "ab" || who != "a" || err != nil {
		t.Errorf("is at %s, served by %s, %v", f.at("f"), who, err)
	}
	f.b.unready.Store(false)
	f.look(t.Context(), f.byName["b"], true)
	if who, err := call(t, f, "f", "x"); f.at("f") != "b" || who != "b" || err != nil {
		t.Errorf("is at %s, served by %s, %v", f.at("f"), who, err)
	}
}

func TestAMoveAwayFromAChildThatIsDownIsCompletedLater(t *testing.T) {
	f := newFed(t)
	f.deploy(t, function("f"))
	f.a.off.Store(true)
	f.look(t.Context(), f.byName["a"], true)
	f.deploy(t, function("f", GatewayAnnotation, "b"))
	if who, err := call(t, f, "f", "x"); who != "b" || err != nil || f.at("f") != "ab" {
		t.Errorf("served by %s, %v; is at %s", who, err, f.at("f"))
	}
	f.a.off.Store(false)
	f.look(t.Context(), f.byName["a"], true)
	if f.at("f") != "b" {
		t.Errorf("is at %s", f.at("f"))
	}
}

// TestAnotherFunctionOfThatNameIsNoOldCopy: somebody makes one where the function
// once was.
func TestAnotherFunctionOfThatNameIsNoOldCopy(t *testing.T) {
	f := newFed(t)
	f.deploy(t, function("f"))
	f.deploy(t, function("f", GatewayAnnotation, "b"))
	status, err := f.b.Status(t.Context(), backend.Name{Namespace: namespace, Function: "f"})
	if err != nil || f.marker(status) == "" {
		t.Fatalf("no marker in %+v, %v", status, err)
	}
	// It was made long before the one that is there now.
	(*status.Annotations)[f.markerKey()] = copiesAt{"a": "2020-01-01T00:00:00Z@"}.marker()
	if err := f.b.Deploy(t.Context(), backend.DeploymentOf(status)); err != nil {
		t.Fatal(err)
	}
	if err := f.a.Deploy(t.Context(), function("f")); err != nil {
		t.Fatal(err)
	}
	f.Backend = reopen(t, f.options, nil)
	if f.at("f") != "ab" {
		t.Errorf("is at %s", f.at("f"))
	}
}

func TestADeploymentThatFailsLeavesWhatWasThere(t *testing.T) {
	f := newFed(t)
	f.deploy(t, function("f", "version", "1"))
	// b is deployed first, and a then refuses.
	err := f.Deploy(t.Context(), function("f", GatewayAnnotation, "a", OverflowAnnotation, "b", "com.openfaas.memory/status", "bad"))
	if !errors.Is(err, backend.ErrInvalid) || f.at("f") != "a" {
		t.Errorf("%v; is at %s", err, f.at("f"))
	}
	f.c.off.Store(true)
	if err := f.Deploy(t.Context(), function("f", GatewayAnnotation, "c", OverflowAnnotation, "b")); !errors.Is(err, backend.ErrUnreachable) || f.at("f") != "a" {
		t.Errorf("%v; is at %s", err, f.at("f"))
	}
	f.a.off.Store(false)
	status, err := f.Status(t.Context(), backend.Name{Namespace: namespace, Function: "f"})
	if err != nil || (*status.Annotations)["version"] != "1" {
		t.Errorf("%+v, %v", status, err)
	}
}

// TestNoInvocationFailsWhileAFunctionMoves keeps calling while the function goes
// round, with invocations that last.
func TestNoInvocationFailsWhileAFunctionMoves(t *testing.T) {
	f := newFed(t)
	f.deploy(t, function("f", "com.openfaas.memory/delay", "1ms"))
	stop := make(chan struct{})
	var wait sync.WaitGroup
	served := make(chan string) // by whom each call was, to who listens
	for range 4 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				who, err := call(t, f, "f", "x")
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case served <- who:
				default:
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { wait.Wait(); close(over) }() // before stop only if every caller has failed
	for _, to := range strings.Split(strings.Repeat("bca", 10), "") {
		f.deploy(t, function("f", GatewayAnnotation, to, "com.openfaas.memory/delay", "1ms"))
		for who := ""; who != to; { // else all moves may be over before anybody calls
			select {
			case who = <-served:
			case <-over:
				t.FailNow()
			}
		}
	}
	close(stop)
	<-over
}

func TestTheSameNameInTwoPlaces(t *testing.T) {
	f := newFed(t)
	for _, p := range []*part{f.c, f.b} {
		if err := p.Deploy(t.Context(), function("f")); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		f.Backend = reopen(t, f.options, nil)
		listed, gaps, err := f.ListPartly(t.Context(), namespace)
		if diff := cmp.Diff(map[string][]string{"f": {"b", "c"}}, gaps.Duplicates); err != nil || len(listed) != 1 || diff != "" {
			t.Errorf("%v, %v\n%s", listed, err, diff)
		}
		if who, err := call(t, f, "f", "x"); who != "b" || err != nil {
			t.Errorf("served by %s, %v", who, err)
		}
	}
	// The one that is where its own annotations say counts.
	if err := f.c.Deploy(t.Context(), function("f", GatewayAnnotation, "c")); err != nil {
		t.Fatal(err)
	}
	f.Backend = reopen(t, f.options, nil)
	if who, err := call(t, f, "f", "x"); who != "c" || err != nil {
		t.Errorf("served by %s, %v", who, err)
	}
	if err := f.Delete(t.Context(), backend.Name{Namespace: namespace, Function: "f"}); err != nil || f.at("f") != "b" {
		t.Errorf("%v; the other one is at %s", err, f.at("f"))
	}
}

func TestTwoChangesAtOnce(t *testing.T) {
	f := newFed(t)
	f.deploy(t, function("f"))
	f.a.beforeDel = func() {
		if err := f.Deploy(t.Context(), types.FunctionDeployment{Service: "f", Image: "any", Namespace: namespace}); !errors.Is(err, backend.ErrConflict) {
			t.Errorf("%v", err)
		}
	}
	f.deploy(t, function("f", GatewayAnnotation, "b"))
}
