package federation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/api"
	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/backendtest"
	"github.com/faas-lambda/faas-lambda/provider/backend/memory"
	"github.com/faas-lambda/faas-lambda/provider/backend/remote"
)

const namespace = "openfaas-fn"

// part is a child whose functions are in memory, and that can be cut off.
type part struct {
	*memory.Backend
	off       atomic.Bool
	invoked   atomic.Int64
	statuses  atomic.Int64
	lists     atomic.Int64
	unready   atomic.Bool // functions have no available replicas
	beforeDel func()
}

var errOff = backend.Errorf(backend.ErrUnreachable, "cut off")

func (p *part) err() error {
	if p.off.Load() {
		return errOff
	}
	return nil
}

func (p *part) Check(context.Context) error { return p.err() }

func (p *part) Invoke(ctx context.Context, name backend.Name, r *http.Request) (*http.Response, error) {
	p.invoked.Add(1)
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.Backend.Invoke(ctx, name, r)
}

func (p *part) List(ctx context.Context, namespace string) ([]types.FunctionStatus, error) {
	p.lists.Add(1)
	if err := p.err(); err != nil {
		return nil, err
	}
	out, err := p.Backend.List(ctx, namespace)
	for i := range out {
		p.hide(&out[i])
	}
	return out, err
}

func (p *part) Status(ctx context.Context, name backend.Name) (types.FunctionStatus, error) {
	p.statuses.Add(1)
	if err := p.err(); err != nil {
		return types.FunctionStatus{}, err
	}
	out, err := p.Backend.Status(ctx, name)
	p.hide(&out)
	return out, err
}

func (p *part) hide(s *types.FunctionStatus) {
	if p.unready.Load() {
		s.AvailableReplicas = 0
	}
}

func (p *part) Deploy(ctx context.Context, d types.FunctionDeployment) error {
	if err := p.err(); err != nil {
		return err
	}
	return p.Backend.Deploy(ctx, d)
}

func (p *part) Delete(ctx context.Context, name backend.Name) error {
	if err := p.err(); err != nil {
		return err
	}
	if p.beforeDel != nil {
		p.beforeDel()
	}
	return p.Backend.Delete(ctx, name)
}

// fed is a federation of parts a, b and c.
type fed struct {
	*Backend
	a, b, c *part
	options Options
}

func newFed(t testing.TB, change ...func(*Options)) *fed {
	t.Helper()
	f := &fed{a: &part{Backend: memory.New()}, b: &part{Backend: memory.New()}, c: &part{Backend: memory.New()}}
	f.options = Options{
		Children: []Child{{Name: "a", Backend: f.a}, {Name: "b", Backend: f.b}, {Name: "c", Backend: f.c}}, Default: "a",
		CheckInterval: time.Hour, Refresh: time.Hour, BudgetPoll: time.Hour,
	}
	for _, c := range change {
		c(&f.options)
	}
	f.Backend = reopen(t, f.options, nil)
	return f
}

func reopen(t testing.TB, o Options, change func(*Backend)) *Backend {
	t.Helper()
	b, err := open(t.Context(), o, change)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// function is one with annotations, in turns of key and value.
func function(name string, annotations ...string) types.FunctionDeployment {
	m := map[string]string{}
	for i := 0; i < len(annotations); i += 2 {
		m[annotations[i]] = annotations[i+1]
	}
	return types.FunctionDeployment{Service: name, Image: "any", Namespace: namespace, Annotations: &m}
}

func (f *fed) deploy(t testing.TB, d types.FunctionDeployment) {
	t.Helper()
	if err := f.Deploy(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// at tells where a function is, such as "a" or "a b".
func (f *fed) at(name string) string {
	var out []string
	for where, p := range map[string]*part{"a": f.a, "b": f.b, "c": f.c} {
		if _, err := p.Backend.Status(context.Background(), backend.Name{Namespace: namespace, Function: name}); err == nil {
			out = append(out, where)
		}
	}
	return sorted(out)
}

func sorted(parts []string) string {
	out := ""
	for _, p := range []string{"a", "b", "c"} {
		if strings.Contains(strings.Join(parts, " "), p) {
			out += p
		}
	}
	return out
}

// call invokes a function and returns who served it.
func call(t testing.TB, b backend.Invoker, name, body string, headers ...string) (string, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := b.Invoke(t.Context(), backend.Name{Namespace: namespace, Function: name}, r)
	if err != nil {
		return "", err
	}
	got, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return "", err
	}
	if answer.StatusCode == http.StatusOK && string(got) != body {
		return "", fmt.Errorf("answered %q", got)
	}
	return answer.Header.Get(backend.ServedByHeader), nil
}

// TestBackend runs the conformance suite over two children, of which one is
// behind HTTP: with functions at the one, at the other, and at both.
func TestBackend(t *testing.T) {
	for name, rules := range map[string][]Rule{"at the default": nil, "at the other": {{Function: "*", To: "far"}}, "by turns": {{Function: "[a-m]*", To: "far"}}} {
		t.Run(name, func(t *testing.T) {
			backendtest.Run(t, func(t *testing.T) backendtest.Subject {
				near, behind := memory.New(), memory.New()
				server := httptest.NewServer(api.New(behind, api.Options{Namespace: namespace}))
				t.Cleanup(server.Close)
				far, err := remote.Open(t.Context(), remote.Options{URL: server.URL})
				if err != nil {
					t.Fatal(err)
				}
				b := reopen(t, Options{Children: []Child{{Name: "near", Backend: near}, {Name: "far", Backend: far}}, Default: "near", Rules: rules}, nil)
				t.Cleanup(func() { _, _, _ = far.Close(), near.Close(), behind.Close() })
				return backendtest.Subject{Backend: b, Namespace: namespace, Image: "any", Prints: "POST / 200 5 bytes", Must: backendtest.All}
			})
		})
	}
}

// TestAFederationOfFederations: one is the child of another one, behind HTTP.
func TestAFederationOfFederations(t *testing.T) {
	f := newFed(t, func(o *Options) { o.Name = "inner" })
	server := httptest.NewServer(api.New(f, api.Options{Namespace: namespace}))
	t.Cleanup(server.Close)
	far, err := remote.Open(t.Context(), remote.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	near := &part{Backend: memory.New()}
	outer := reopen(t, Options{Name: "outer", Default: "near", Children: []Child{{Name: "near", Backend: near}, {Name: "inner", Backend: far}}, CheckInterval: time.Hour}, nil)
	if err := outer.Deploy(t.Context(), function("f", GatewayAnnotation, "near")); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"inner/b", "inner/c", "inner"} {
		if err := outer.Deploy(t.Context(), function("f", GatewayAnnotation, to)); err != nil {
			t.Fatal(err)
		}
		status, err := outer.Status(t.Context(), backend.Name{Namespace: namespace, Function: "f"})
		if err != nil || len(*status.Annotations) != 1 || (*status.Annotations)[GatewayAnnotation] != to {
			t.Errorf("%s: %v, %v", to, *status.Annotations, err)
		}
		want := to
		if to == "inner" {
			want = "inner/a"
		}
		if who, err := call(t, outer, "f", "x"); who != want || err != nil {
			t.Errorf("%s: served by %s, %v", to, who, err)
		}
	}
	f.b.off.Store(true)
	f.look(t.Context(), f.byName["b"], true)
	if listed, gaps, err := outer.ListPartly(t.Context(), namespace); err != nil || len(listed) != 1 || !strings.Contains(gaps.Missing["inner/b"], "cut off") {
		t.Errorf("%v, %+v, %v", listed, gaps, err)
	}
}
