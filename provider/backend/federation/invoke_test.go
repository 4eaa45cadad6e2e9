package federation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

const failKey = "com.openfaas.memory/fail"

// twoFaced deploys a function at a and b that fails at a.
func (f *fed) twoFaced(t *testing.T, fail string, annotations ...string) {
	t.Helper()
	d := function("f", append([]string{OverflowAnnotation, "b"}, annotations...)...)
	f.deploy(t, d)
	if fail != "" {
		broken := function("f", append([]string{OverflowAnnotation, "b", failKey, fail}, annotations...)...)
		if err := f.a.Deploy(t.Context(), broken); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOverflow(t *testing.T) {
	for _, c := range []struct {
		fail, on string
		served   string
		err      error
	}{
		{"", "", "a", nil},
		{"throttled", "", "b", nil},
		{"too-large", "", "b", nil},
		{"unreachable", "", "b", nil},
		{"unavailable", "", "", backend.ErrUnavailable},
		{"timeout", "", "", backend.ErrTimeout},
		{"unavailable", "unavailable", "b", nil},
		{"timeout", "throttled,timeout", "b", nil},
		{"too-large", "throttled", "", backend.ErrTooLarge},
		{"unreachable", "throttled", "", backend.ErrUnreachable},
		{"throttled", "unreachable", "", backend.ErrThrottled},
	} {
		t.Run(c.fail+" on "+c.on, func(t *testing.T) {
			f := newFed(t)
			var extra []string
			if c.on != "" {
				extra = []string{OverflowOnAnnotation, c.on}
			}
			f.twoFaced(t, c.fail, extra...)
			for _, body := range []string{"", "hello", strings.Repeat("x", 1<<20)} {
				if who, err := call(t, f, "f", body); who != c.served || !errors.Is(err, c.err) {
					t.Errorf("%d bytes: served by %q, %v", len(body), who, err)
				}
			}
			if f.a.invoked.Load() != 3 {
				t.Errorf("a was asked %d times", f.a.invoked.Load())
			}
		})
	}
}

func TestWhereNoSecondPlaceHelpsTheFirstErrorIsTold(t *testing.T) {
	f := newFed(t)
	f.twoFaced(t, "throttled")
	f.b.off.Store(true)
	if _, err := call(t, f, "f", "x"); !errors.Is(err, backend.ErrThrottled) {
		t.Errorf("%v", err)
	}
}

// greedy reads the whole body before it says that it is too large.
type greedy struct{ *part }

func (g greedy) Invoke(ctx ctxType, name backend.Name, r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return nil, backend.Errorf(backend.ErrTooLarge, "too large")
}

func TestBodiesThatWereReadAreSentAgain(t *testing.T) {
	for _, size := range []int{0, 1, 100_000, 8 << 20, 9 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			f := newFed(t)
			o := f.options
			o.Children[0].Backend = greedy{f.a}
			f.Backend = reopen(t, o, nil)
			f.twoFaced(t, "")
			body := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", bytes.NewReader(body))
			answer, err := f.Invoke(t.Context(), backend.Name{Namespace: namespace, Function: "f"}, r)
			if size > 8<<20 {
				if !errors.Is(err, backend.ErrTooLarge) {
					t.Errorf("what is not remembered: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(answer.Body)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d bytes of %d, %v", len(got), size, err)
			}
			_ = answer.Body.Close()
		})
	}
}

// metric returns the value of the metric with that first label.
func metric(t *testing.T, registry *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && m.GetLabel()[0].GetValue() == label {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s of %s", name, label)
	return 0
}

func TestAChildThatIsDown(t *testing.T) {
	registry := prometheus.NewRegistry()
	f := newFed(t, func(o *Options) { o.Failures, o.Metrics = 3, registry })
	f.deploy(t, function("f"))
	f.deploy(t, function("g", GatewayAnnotation, "b"))
	f.a.off.Store(true)
	for range 10 {
		if _, err := call(t, f, "f", "x"); !errors.Is(err, backend.ErrUnreachable) || !backend.NotBegun(err) {
			t.Errorf("%v", err)
		}
		if who, err := call(t, f, "g", "x"); who != "b" || err != nil {
			t.Errorf("served by %s, %v", who, err)
		}
	}
	if f.a.invoked.Load() != 3 {
		t.Errorf("it was asked %d times before the circuit was broken", f.a.invoked.Load())
	}
	listed, gaps, err := f.ListPartly(t.Context(), namespace)
	if err != nil || len(listed) != 1 || listed[0].Name != "g" || !strings.Contains(gaps.Missing["a"], "cut off") {
		t.Errorf("%v, %+v, %v", listed, gaps, err)
	}
	if err := f.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	if parts := f.Parts(); parts[0].State == "up" || parts[1].State != "up" || parts[1].Functions != 1 || parts[0].Orchestration != "memory" {
		t.Errorf("%+v", parts)
	}
	if up := metric(t, registry, "faas_lambda_federation_up", "a"); up != 0 {
		t.Errorf("up is %v", up)
	}
	if n := metric(t, registry, "faas_lambda_federation_missing_total", "a"); n != 1 {
		t.Errorf("missing %v times", n)
	}
	f.a.off.Store(false)
	f.look(t.Context(), f.byName["a"], true)
	if who, err := call(t, f, "f", "x"); who != "a" || err != nil {
		t.Errorf("served by %s, %v", who, err)
	}
}

func TestAChildThatIsDownAtTheStart(t *testing.T) {
	f := newFed(t)
	if err := f.a.Deploy(t.Context(), function("f")); err != nil {
		t.Fatal(err)
	}
	f.a.off.Store(true)
	f.Backend = reopen(t, f.options, nil)
	if _, err := call(t, f, "f", "x"); !errors.Is(err, backend.ErrUnavailable) {
		t.Errorf("a function that may be where nobody answers: %v", err)
	}
	f.a.off.Store(false)
	f.look(t.Context(), f.byName["a"], true)
	if who, err := call(t, f, "f", "x"); who != "a" || err != nil {
		t.Errorf("served by %s, %v", who, err)
	}
	if _, err := call(t, f, "g", "x"); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("a function that is nowhere: %v", err)
	}
	for _, p := range []*part{f.a, f.b, f.c} {
		p.off.Store(true)
	}
	for _, c := range f.children {
		f.look(t.Context(), c, true)
	}
	if err := f.Check(t.Context()); err == nil {
		t.Error("ready with all children down")
	}
	if _, err := f.List(t.Context(), namespace); !errors.Is(err, backend.ErrUnavailable) {
		t.Errorf("list with all children down: %v", err)
	}
}

// stuck never answers a list.
type stuck struct{ *part }

func (s stuck) List(ctx ctxType, _ string) ([]statusType, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestListsWaitForNobodyForLong(t *testing.T) {
	f := newFed(t)
	f.deploy(t, function("f"))
	o := f.options
	o.ListTimeout, o.Children[2].Backend = time.Second, stuck{f.c}
	f.Backend = reopen(t, o, nil)
	begin := time.Now()
	listed, gaps, err := f.ListPartly(t.Context(), namespace)
	if err != nil || len(listed) != 1 || gaps.Missing["c"] == "" || time.Since(begin) > time.Minute {
		t.Errorf("%v, %+v, %v after %s", listed, gaps, err, time.Since(begin))
	}
}

// unwell is reachable and says that it is not ready.
type unwell struct{ *part }

func (unwell) Check(ctxType) error { return backend.Errorf(backend.ErrUnavailable, "not ready") }

func TestOneCheckThatFailsIsNoOutage(t *testing.T) {
	f := newFed(t)
	if err := f.b.Deploy(t.Context(), function("f")); err != nil {
		t.Fatal(err)
	}
	f.Backend = reopen(t, f.options, nil)
	b := f.byName["b"]
	b.Backend = unwell{f.b}
	for n := range unwellChecks {
		if err := b.down(); err != nil {
			t.Errorf("down after %d checks: %v", n, err)
		}
		if who, err := call(t, f, "f", "x"); who != "b" || err != nil {
			t.Errorf("served by %s, %v", who, err)
		}
		f.look(t.Context(), b, true)
	}
	if err := b.down(); !errors.Is(err, backend.ErrUnreachable) || !strings.Contains(err.Error(), "not ready") {
		t.Errorf("after %d checks: %v", unwellChecks, err)
	}
}

func TestInvocationsAskNobodyWhereAFunctionIs(t *testing.T) {
	f := newFed(t)
	f.deploy(t, function("f", GatewayAnnotation, "c"))
	lists, statuses := f.a.lists.Load()+f.b.lists.Load()+f.c.lists.Load(), f.a.statuses.Load()+f.b.statuses.Load()+f.c.statuses.Load()
	for range 100 {
		if _, err := call(t, f, "f", "x"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 { // nor does who calls made-up names make it ask each time
		if _, err := call(t, f, fmt.Sprint("none-", i), "x"); !errors.Is(err, backend.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if n := f.a.lists.Load() + f.b.lists.Load() + f.c.lists.Load() - lists; n > 3*3 {
		t.Errorf("%d lists", n)
	}
	if n := f.a.statuses.Load() + f.b.statuses.Load() + f.c.statuses.Load() - statuses; n != 0 {
		t.Errorf("%d questions for a status", n)
	}
	if err := f.b.Deploy(t.Context(), function("new")); err != nil {
		t.Fatal(err)
	}
	f.missed.at = time.Time{}
	if who, err := call(t, f, "new", "x"); who != "b" || err != nil {
		t.Errorf("one that somebody else deployed: served by %s, %v", who, err)
	}
}

// relisted replaces the entries of the index at every invocation, as a listing
// at that moment does.
type relisted struct {
	*part
	f *fed
}

func (l relisted) Invoke(ctx ctxType, name backend.Name, r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	if l.part.invoked.Add(1) < 3 {
		l.f.look(ctx, l.f.byName["b"], true)
	}
	return nil, backend.Errorf(backend.ErrThrottled, "throttled")
}

func TestAListingBetweenTwoAttempts(t *testing.T) {
	f := newFed(t)
	o := f.options
	o.Children[0].Backend = relisted{f.a, f}
	f.Backend = reopen(t, o, nil)
	f.twoFaced(t, "")
	if who, err := call(t, f, "f", "hello"); who != "b" || err != nil {
		t.Errorf("served by %s, %v", who, err)
	}
}

// silent takes connections and never answers.
type silent struct{ stuck }

func (silent) Check(ctx ctxType) error {
	<-ctx.Done()
	return ctx.Err()
}

func (silent) Invoke(ctx ctxType, _ backend.Name, _ *http.Request) (*http.Response, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAChildThatHangsHoldsNobodyUp(t *testing.T) {
	f := newFed(t)
	if err := f.c.Deploy(t.Context(), function("hung", GatewayAnnotation, "c")); err != nil {
		t.Fatal(err)
	}
	o := f.options
	o.ListTimeout = time.Second
	f.Backend = reopen(t, o, nil)
	f.deploy(t, function("f"))
	c := f.byName["c"]
	c.Backend = silent{stuck{f.c}}
	leaving, leave := context.WithCancel(t.Context())
	hung := make(chan error)
	go func() {
		_, err := f.Invoke(leaving, backend.Name{Namespace: namespace, Function: "hung"}, httptest.NewRequestWithContext(leaving, "GET", "/", nil))
		hung <- err
	}()
	for range unwellChecks {
		if who, err := call(t, f, "f", "x"); who != "a" || err != nil {
			t.Errorf("served by %s, %v", who, err)
		}
		f.look(t.Context(), c, true)
	}
	if _, err := call(t, f, "hung", "x"); !errors.Is(err, backend.ErrUnreachable) || !strings.Contains(err.Error(), "no answer in 1s") {
		t.Errorf("after %d checks: %v", unwellChecks, err)
	}
	leave()
	if err := <-hung; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that hung: %v", err)
	}
}
