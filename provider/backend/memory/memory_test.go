package memory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/backendtest"
)

const namespace = "openfaas-fn"

func TestBackend(t *testing.T) {
	for name, file := range map[string]string{"kept nowhere": "", "kept in a file": "state.json"} {
		t.Run(name, func(t *testing.T) {
			backendtest.Run(t, func(t *testing.T) backendtest.Subject {
				o := Options{}
				if file != "" {
					o.StateFile = filepath.Join(t.TempDir(), file)
				}
				return backendtest.Subject{Backend: open(t, o), Namespace: namespace, Image: "any", Prints: "POST / 200 5 bytes", Must: backendtest.All}
			})
		})
	}
}

func open(t testing.TB, o Options) *Backend {
	t.Helper()
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func function1(annotations ...string) types.FunctionDeployment {
	m := map[string]string{}
	for i := 0; i < len(annotations); i += 2 {
		m[annotations[i]] = annotations[i+1]
	}
	return types.FunctionDeployment{Service: "f", Image: "any", Namespace: namespace, Annotations: &m}
}

func invoke(b *Backend, ctx context.Context, target, body string) (*http.Response, string, error) {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	answer, err := b.Invoke(ctx, backend.Name{Namespace: namespace, Function: "f"}, r)
	if err != nil {
		return nil, "", err
	}
	data, err := io.ReadAll(answer.Body)
	return answer, string(data), errors.Join(err, answer.Body.Close())
}

func TestAnswersFromAnnotations(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.RequestURI)
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "proxied %s %s", r.Method, body)
	}))
	defer target.Close()
	for _, c := range []struct {
		name        string
		annotations []string
		status      int
		body        string
		header      string // name=value
		err         error
	}{
		{"echo", nil, 200, "hello", "", nil},
		{"fixed", []string{statusKey, "418", headersKey, `{"X-A":"b"}`, bodyKey, "tea"}, 418, "tea", "X-A=b", nil},
		{"body alone", []string{bodyKey, ""}, 200, "", "", nil},
		{"delayed", []string{delayKey, "1ms"}, 200, "hello", "", nil},
		{"proxied", []string{proxyKey, target.URL + "/base/"}, 418, "proxied POST hello", "X-Seen=/base/a%20b/%2F?q=1&q=%20", nil},
		{"throttled", []string{failKey, "throttled"}, 0, "", "", backend.ErrThrottled},
		{"unreachable", []string{failKey, "unreachable"}, 0, "", "", backend.ErrUnreachable},
		{"nobody at the URL", []string{proxyKey, "http://127.0.0.1:1"}, 0, "", "", backend.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, Options{})
			if err := b.Deploy(t.Context(), function1(c.annotations...)); err != nil {
				t.Fatal(err)
			}
			answer, body, err := invoke(b, t.Context(), "/a%20b/%2F?q=1&q=%20", "hello")
			if c.err != nil {
				if !errors.Is(err, c.err) {
					t.Errorf("%v, want %v", err, c.err)
				}
				return
			}
			if err != nil || answer.StatusCode != c.status || body != c.body {
				t.Fatalf("%+v %q %v", answer, body, err)
			}
			if name, value, _ := strings.Cut(c.header, "="); answer.Header.Get(name) != value {
				t.Errorf("header %v, want %s", answer.Header, c.header)
			}
		})
	}
}

func TestBadAnnotationsAreNamed(t *testing.T) {
	for _, c := range [][]string{
		{statusKey, "20"}, {statusKey, "ok"}, {headersKey, `["a"]`}, {delayKey, "soon"}, {delayKey, "-1s"}, {proxyKey, "ftp://x"},
		{proxyKey, "/path"}, {failKey, "badly"}, {concurrencyKey, "0"}, {prefix + "colour", "red"}, {proxyKey, "http://x", bodyKey, "y"},
	} {
		t.Run(strings.Join(c, "="), func(t *testing.T) {
			err := open(t, Options{}).Deploy(t.Context(), function1(c...))
			if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), c[0]) {
				t.Errorf("%v, want ErrInvalid that names %s", err, c[0])
			}
		})
	}
}

func TestConcurrencyThrottles(t *testing.T) {
	b := open(t, Options{})
	if err := b.Deploy(t.Context(), function1(concurrencyKey, "1")); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	first, err := b.Invoke(t.Context(), backend.Name{Namespace: namespace, Function: "f"}, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := invoke(b, t.Context(), "/", ""); !errors.Is(err, backend.ErrThrottled) {
		t.Errorf("a second invocation = %v, want ErrThrottled", err)
	}
	if err := first.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := invoke(b, t.Context(), "/", ""); err != nil {
		t.Errorf("after the first ended: %v", err)
	}
}

func TestDelayEndsWithTheClient(t *testing.T) {
	b := open(t, Options{})
	if err := b.Deploy(t.Context(), function1(delayKey, "1h")); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer leave()
	if _, _, err := invoke(b, ctx, "/", ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestConsumption(t *testing.T) {
	b := open(t, Options{})
	d := function1(delayKey, "20ms")
	d.Limits = &types.FunctionResources{Memory: "1Gi"}
	if err := b.Deploy(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, _, err := invoke(b, t.Context(), "/", "x"); err != nil {
			t.Fatal(err)
		}
	}
	used, err := b.Consumption(t.Context(), backend.NameOf(d), time.Now())
	if err != nil || used.Requests != 3 || used.GBSeconds < 0.06 || used.GBSeconds > 60 {
		t.Errorf("%+v, %v", used, err)
	}
	if later, err := b.Consumption(t.Context(), backend.NameOf(d), time.Now().AddDate(0, 2, 0)); err != nil || later.Requests != 0 {
		t.Errorf("in two months: %+v, %v", later, err)
	}
}

func TestStateIsThereAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	ctx := t.Context()
	first := open(t, Options{StateFile: path})
	d := function1(bodyKey, "kept")
	d.Secrets = []string{"token"}
	for _, err := range []error{
		first.CreateNamespace(ctx, types.FunctionNamespace{Name: "team", Labels: map[string]string{"a": "b"}}),
		first.CreateSecret(ctx, types.Secret{Name: "token", Namespace: namespace, RawValue: []byte{0, 1, 255}}),
		first.Deploy(ctx, d),
		first.Scale(ctx, backend.NameOf(d), 4),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	wanted, err := first.Status(ctx, backend.NameOf(d))
	if err != nil {
		t.Fatal(err)
	}
	// As after a crash: the first one is not closed.
	second := open(t, Options{StateFile: path})
	got, err := second.Status(ctx, backend.NameOf(d))
	if diff := cmp.Diff(wanted, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if names, _ := second.Namespaces(ctx); !cmp.Equal(names, []string{namespace, "team"}) {
		t.Errorf("namespaces %v", names)
	}
	if value := second.secrets[secretKey{namespace, "token"}]; string(value) != "\x00\x01\xff" {
		t.Errorf("secret %q", value)
	}
	if _, body, err := invoke(second, ctx, "/", "x"); body != "kept" || err != nil {
		t.Errorf("answered %q, %v", body, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("state file %v, %v", info, err)
	}
}

// TestChangesAtOnceAreWrittenTogether counts writes: changes that wait at the same
// time are one.
func TestChangesAtOnceAreWrittenTogether(t *testing.T) {
	const n = 64
	file, _, err := openState(filepath.Join(t.TempDir(), "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range n {
		wait.Go(func() {
			if err := file.save(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	waiting := func() int {
		file.mu.Lock()
		defer file.mu.Unlock()
		return len(file.waiting)
	}
	for waiting() < n {
		runtime.Gosched()
	}
	file.flush(func() state { return state{Version: stateVersion} })
	wait.Wait()
	file.flush(func() state { return state{Version: stateVersion} }) // nobody waits
	if file.written() != 1 {
		t.Errorf("%d writes for %d changes at once, want 1", file.written(), n)
	}
}

func TestEveryChangeIsInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	b := open(t, Options{StateFile: path})
	const n = 64
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			d := function1()
			d.Service = fmt.Sprintf("f%d", i)
			if err := b.Deploy(t.Context(), d); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if writes := b.state.written(); writes < 1 || writes > n {
		t.Errorf("%d writes for %d changes", writes, n)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var kept state
	if err := json.Unmarshal(data, &kept); err != nil || len(kept.Functions) != n {
		t.Errorf("%d functions in the file, want %d; %v", len(kept.Functions), n, err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBadStateFiles(t *testing.T) {
	for name, content := range map[string]string{
		"no JSON": "{", "another version": `{"version":2}`,
		"a bad annotation": `{"version":1,"functions":[{"service":"f","namespace":"n","image":"i","annotations":{"com.openfaas.memory/status":"x"}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.json")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), Options{StateFile: path}); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want an error that names the file", err)
			}
		})
	}
}

func FuzzBehaviour(f *testing.F) {
	f.Add(statusKey, "200", "128Mi")
	f.Add(proxyKey, "http://a/b", "1e9")
	f.Add(headersKey, `{"a":"b"}`, "Gi")
	f.Fuzz(func(t *testing.T, key, value, limit string) {
		d := function1(key, value)
		d.Limits = &types.FunctionResources{Memory: limit}
		b, err := behaviourOf(d)
		if err != nil {
			if !errors.Is(err, backend.ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if b.status < 200 || b.status > 599 || b.delay < 0 || b.memory <= 0 {
			t.Errorf("%+v", b)
		}
	})
}
