package federation

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func TestWhereFunctionsBelong(t *testing.T) {
	f := newFed(t, func(o *Options) {
		o.Name = "inner"
		o.Children[1].Namespaces, o.Children[1].Constraints = []string{"team-*"}, []string{"gpu=*"}
		o.Children[0].LongestRun = 15 * time.Minute
		o.Rules = []Rule{
			{Namespace: "team-c", Function: "*-job", To: "c"}, {Image: "registry.internal/*", To: "c"},
			{Label: "tier=edge", To: "b"}, {Annotation: "topic=*", Function: "x*", To: "b"},
		}
	})
	for _, c := range []struct {
		name         string
		change       func(*types.FunctionDeployment)
		home, second string
	}{
		{"nothing said", nil, "a", ""},
		{"annotation", func(d *types.FunctionDeployment) { (*d.Annotations)[GatewayAnnotation] = "c" }, "c", ""},
		{"annotation before a rule", func(d *types.FunctionDeployment) {
			d.Namespace, (*d.Annotations)[GatewayAnnotation] = "team-a", "c"
		}, "c", ""},
		{"no annotations at all", func(d *types.FunctionDeployment) { d.Annotations = nil }, "a", ""},
		{"path of names", func(d *types.FunctionDeployment) { (*d.Annotations)[GatewayAnnotation] = "inner/b" }, "b", ""},
		{"own name", func(d *types.FunctionDeployment) { (*d.Annotations)[GatewayAnnotation] = "inner" }, "a", ""},
		{"namespace", func(d *types.FunctionDeployment) { d.Namespace = "team-a" }, "b", ""},
		{"rule before namespace", func(d *types.FunctionDeployment) { d.Namespace, d.Service = "team-c", "nightly-job" }, "c", ""},
		{"half a rule", func(d *types.FunctionDeployment) { d.Namespace = "team-c" }, "b", ""},
		{"image", func(d *types.FunctionDeployment) { d.Image = "registry.internal/team/f:1" }, "c", ""},
		{"label", func(d *types.FunctionDeployment) { d.Labels = &map[string]string{"tier": "edge"} }, "b", ""},
		{"annotation of a rule", func(d *types.FunctionDeployment) { d.Service, (*d.Annotations)["topic"] = "x1", "orders" }, "b", ""},
		{"constraint of a child", func(d *types.FunctionDeployment) { d.Constraints = []string{"zone=1", "gpu == v100"} }, "b", ""},
		{"constraint that names a child", func(d *types.FunctionDeployment) { d.Constraints = []string{GatewayAnnotation + " == c"} }, "c", ""},
		{"second place", func(d *types.FunctionDeployment) { (*d.Annotations)[OverflowAnnotation] = "b" }, "a", "b"},
		{"longer than Lambda runs", func(d *types.FunctionDeployment) {
			d.EnvVars, (*d.Annotations)[OverflowAnnotation] = map[string]string{"exec_timeout": "20m"}, "b"
		}, "b", ""},
		{"as long as Lambda runs", func(d *types.FunctionDeployment) {
			d.EnvVars, (*d.Annotations)[OverflowAnnotation] = map[string]string{"exec_timeout": "900"}, "b"
		}, "a", "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := function("f")
			if c.change != nil {
				c.change(&d)
			}
			p, err := f.route(d)
			if err != nil {
				t.Fatal(err)
			}
			second := ""
			if p.second != nil {
				second = p.second.name
			}
			if p.home.name != c.home || second != c.second {
				t.Errorf("at %s and %q, want %s and %q", p.home.name, second, c.home, c.second)
			}
		})
	}
}

func TestAnnotationsThatCannotBeUsed(t *testing.T) {
	f := newFed(t)
	for key, values := range map[string][]string{
		GatewayAnnotation:    {"elsewhere", "http://a:8080"},
		OverflowAnnotation:   {"elsewhere", "a"},
		OverflowOnAnnotation: {"always", "throttled;timeout"},
		WeightAnnotation:     {"-1", "101", "half", "NaN"},
		StickyAnnotation:     {"", "a b"},
		BudgetAnnotation:     {"", "none", "requests", "requests=-1", "requests=1,seconds=2"},
	} {
		for _, value := range values {
			t.Run(key+"="+value, func(t *testing.T) {
				d := function("f", OverflowAnnotation, "b", key, value)
				err := f.Deploy(t.Context(), d)
				if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), key) {
					t.Errorf("%v", err)
				}
			})
		}
	}
	if err := f.Deploy(t.Context(), function("f", WeightAnnotation, "5")); !errors.Is(err, backend.ErrInvalid) {
		t.Errorf("a weight without a second place: %v", err)
	}
}

func TestOptionsThatCannotBeUsed(t *testing.T) {
	f := newFed(t)
	for name, change := range map[string]func(*Options){
		`child "a" is there twice`:      func(o *Options) { o.Children = append(o.Children, o.Children[0]) },
		`default "x" is no child`:       func(o *Options) { o.Default = "x" },
		`rule 1: "x" is no child`:       func(o *Options) { o.Rules = []Rule{{Function: "f", To: "x"}} },
		`rule 1 has no condition`:       func(o *Options) { o.Rules = []Rule{{To: "a"}} },
		`rule 1: pattern "["`:           func(o *Options) { o.Rules = []Rule{{Function: "[", To: "a"}} },
		`child 4: want a name and a ba`: func(o *Options) { o.Children = append(o.Children, Child{}) },
	} {
		t.Run(name, func(t *testing.T) {
			o := f.options
			o.Children = append([]Child(nil), o.Children...)
			change(&o)
			if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%v", err)
			}
		})
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add("throttled, timeout", "12.5%", "x-user", "requests=10,gb-seconds=1e3")
	f.Add("", "", "", "free-tier")
	f.Fuzz(func(t *testing.T, on, weight, sticky, budget string) {
		d := function("f", OverflowAnnotation, "b", OverflowOnAnnotation, on, WeightAnnotation, weight, StickyAnnotation, sticky, BudgetAnnotation, budget)
		p, err := policyOf(d)
		if err == nil && (p.weight > 10_000 || p.sticky == "" || p.budget.requests == 0 && p.budget.gbSeconds == 0) {
			t.Errorf("%+v %+v", p, p.budget)
		}
	})
}

func FuzzMarker(f *testing.F) {
	f.Add("ID a@2026-01-02T03:04:05Z@ID2 b@x")
	f.Fuzz(func(t *testing.T, marker string) {
		_, names := readMarker(marker)
		for name, identity := range names {
			if name == "" {
				t.Errorf("%q names nobody", marker)
			}
			if _, again := readMarker(copiesAt{name: identity}.marker()); again[name] != identity {
				t.Errorf("%q: %s@%s became %v", marker, name, identity, again)
			}
		}
	})
}
