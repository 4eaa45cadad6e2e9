package backendtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/logs"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Ability is something that not every backend can do.
type Ability string

// The abilities that the suite knows. All but Async are interfaces of package
// backend.
const (
	Scale       Ability = "Scaler"
	Namespaces  Ability = "NamespaceKeeper"
	Secrets     Ability = "SecretKeeper"
	Logs        Ability = "Logger"
	Usage       Ability = "Meter"
	Consumption Ability = "Accountant"
	Check       Ability = "Checker"
	Async       Ability = "asynchronous invocations"
)

// All are the abilities that a complete backend has.
var All = []Ability{Scale, Namespaces, Secrets, Logs, Usage, Consumption, Check, Async}

// can returns the backend as an interface of one ability. A backend that must
// have it and has not fails the test.
func can[T any](t *testing.T, s Subject, ability Ability) (T, bool) {
	t.Helper()
	has, ok := s.Backend.(T)
	if !ok && slices.Contains(s.Must, ability) {
		t.Fatalf("%T must be a %s", s.Backend, ability)
	}
	if !ok {
		t.Logf("%T is no %s", s.Backend, ability)
	}
	return has, ok
}

// lacks tells whether err says that the backend cannot do it after all, as one
// that stands for another one finds out late.
func lacks(t *testing.T, s Subject, ability Ability, err error) bool {
	t.Helper()
	if !errors.Is(err, backend.ErrUnsupported) {
		return false
	}
	if slices.Contains(s.Must, ability) {
		t.Fatalf("must be able to: %s: %v", ability, err)
	}
	t.Logf("not supported: %v", err)
	return true
}

// want checks the kind of an error.
func want(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s = %v, want %v", what, err, kind)
	}
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func namespaces(t *testing.T, s Subject) {
	keeper, ok := can[backend.NamespaceKeeper](t, s, Namespaces)
	if !ok {
		return
	}
	ctx := t.Context()
	name := s.called("team-a")
	team := types.FunctionNamespace{Name: name, Labels: map[string]string{"openfaas": "1", "team": "a"}, Annotations: map[string]string{"openfaas": "1", "why": "a, b = ä"}}
	_, err := keeper.Namespace(ctx, name)
	if lacks(t, s, Namespaces, err) {
		return
	}
	want(t, "Namespace of a missing one", err, backend.ErrNotFound)
	want(t, "UpdateNamespace of a missing one", keeper.UpdateNamespace(ctx, team), backend.ErrNotFound)
	want(t, "DeleteNamespace of a missing one", keeper.DeleteNamespace(ctx, name), backend.ErrNotFound)
	must(t, "create namespace", keeper.CreateNamespace(ctx, team))
	want(t, "a second CreateNamespace", keeper.CreateNamespace(ctx, team), backend.ErrExists)
	same := func(wanted types.FunctionNamespace) {
		t.Helper()
		got, err := keeper.Namespace(ctx, name)
		must(t, "read namespace", err)
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("namespace (-want +got)\n%s", diff)
		}
	}
	same(team)
	team.Labels = map[string]string{"openfaas": "1", "team": "b"}
	must(t, "update namespace", keeper.UpdateNamespace(ctx, team))
	same(team)
	if lister, ok := s.Backend.(backend.Namespacer); ok {
		names, err := lister.Namespaces(ctx)
		must(t, "list namespaces", err)
		if len(names) == 0 || names[0] != s.Namespace || !slices.Contains(names, name) {
			t.Errorf("namespaces are %v, want %s first and %s among them", names, s.Namespace, name)
		}
	} else {
		t.Errorf("%T is a NamespaceKeeper and no Namespacer", s.Backend)
	}

	// Functions of one name are two functions in two namespaces.
	s.deploy(t, s.deployment("twin"))
	other := s.deployment("twin")
	other.Namespace, other.EnvVars = name, map[string]string{"WHERE": "a"}
	s.deploy(t, other)
	there := backend.Name{Namespace: name, Function: s.called("twin")}
	status, err := s.Backend.Status(ctx, there)
	must(t, "status", err)
	if status.EnvVars["WHERE"] != "a" || status.Namespace != name || len(s.status(t, "twin").EnvVars) != 0 {
		t.Errorf("the twins are %+v and %+v", status, s.status(t, "twin"))
	}
	want(t, "DeleteNamespace with a function in it", keeper.DeleteNamespace(ctx, name), backend.ErrConflict)
	must(t, "delete", s.Backend.Delete(ctx, there))
	s.status(t, "twin")
	must(t, "delete namespace", keeper.DeleteNamespace(ctx, name))
	_, err = keeper.Namespace(ctx, name)
	want(t, "Namespace of one that was deleted", err, backend.ErrNotFound)
	want(t, "DeleteNamespace of the default one", keeper.DeleteNamespace(ctx, s.Namespace), backend.ErrConflict)
}

func secrets(t *testing.T, s Subject) {
	keeper, ok := can[backend.SecretKeeper](t, s, Secrets)
	if !ok {
		return
	}
	ctx := t.Context()
	list := func() []types.Secret {
		t.Helper()
		out, err := keeper.Secrets(ctx, s.Namespace)
		must(t, "list secrets", err)
		return out
	}
	if _, err := keeper.Secrets(ctx, s.Namespace); lacks(t, s, Secrets, err) {
		return
	}
	if got := list(); len(got) != 0 {
		t.Errorf("secrets at first: %v", got)
	}
	secret := func(name, value string) types.Secret {
		return types.Secret{Name: name, Namespace: s.Namespace, Value: value}
	}
	want(t, "UpdateSecret of a missing one", keeper.UpdateSecret(ctx, secret("bt-one", "x")), backend.ErrNotFound)
	want(t, "DeleteSecret of a missing one", keeper.DeleteSecret(ctx, s.Namespace, "bt-one"), backend.ErrNotFound)
	must(t, "create secret", keeper.CreateSecret(ctx, secret("bt-two", "zwei")))
	raw := types.Secret{Name: "bt-one", Namespace: s.Namespace, Value: "trimmed", RawValue: []byte{0, 255, '\n'}}
	if s.TextSecrets {
		want(t, "CreateSecret of bytes", keeper.CreateSecret(ctx, raw), backend.ErrInvalid)
		raw.RawValue = []byte("trimmed\n")
	}
	must(t, "create secret", keeper.CreateSecret(ctx, raw))
	want(t, "a second CreateSecret", keeper.CreateSecret(ctx, secret("bt-one", "x")), backend.ErrExists)
	must(t, "update secret", keeper.UpdateSecret(ctx, secret("bt-two", "deux")))
	wanted := []types.Secret{{Name: "bt-one", Namespace: s.Namespace}, {Name: "bt-two", Namespace: s.Namespace}}
	if diff := cmp.Diff(wanted, list()); diff != "" {
		t.Errorf("secrets (-want +got)\n%s", diff)
	}
	d := s.deployment("secretive")
	d.Secrets = []string{"bt-missing"}
	want(t, "Deploy with a missing secret", s.Backend.Deploy(ctx, d), backend.ErrInvalid)
	d.Secrets = []string{"bt-one", "bt-two"}
	s.deploy(t, d)
	if got := s.status(t, "secretive").Secrets; !slices.Equal(got, d.Secrets) {
		t.Errorf("secrets of the function are %v", got)
	}
	must(t, "delete", s.Backend.Delete(ctx, s.name("secretive")))
	must(t, "delete secret", keeper.DeleteSecret(ctx, s.Namespace, "bt-one"))
	must(t, "delete secret", keeper.DeleteSecret(ctx, s.Namespace, "bt-two"))
	if got := list(); len(got) != 0 {
		t.Errorf("secrets after all were deleted: %v", got)
	}
}

// call invokes a function and reads its answer.
func (s Subject) call(t *testing.T, function string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("hello"))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := s.Backend.Invoke(t.Context(), s.name(function), r)
	must(t, "invoke "+function, err)
	_, err = io.Copy(io.Discard, answer.Body)
	must(t, "read answer of "+function, errors.Join(err, answer.Body.Close()))
	return answer
}

// printing deploys a function and returns the logger, unless its function
// prints nothing.
func (s Subject) printing(t *testing.T) (backend.Logger, logs.Request, bool) {
	t.Helper()
	logger, ok := can[backend.Logger](t, s, Logs)
	if !ok {
		return nil, logs.Request{}, false
	}
	request := logs.Request{Name: s.called("printing"), Namespace: s.Namespace}
	_, err := logger.Query(t.Context(), request)
	if lacks(t, s, Logs, err) {
		return nil, request, false
	}
	want(t, "Query for a missing function", err, backend.ErrNotFound)
	if s.Prints == "" {
		if slices.Contains(s.Must, Logs) {
			t.Fatal("the subject must have logs, and its function prints nothing")
		}
		return nil, request, false
	}
	s.deploy(t, s.deployment("printing"))
	return logger, request, true
}

// waitLogs is how long a line may take to arrive: CloudWatch shows it after some
// seconds.
const waitLogs = 30 * time.Second

func readLogs(t *testing.T, s Subject) {
	logger, request, ok := s.printing(t)
	if !ok {
		return
	}
	for range 3 {
		s.call(t, "printing")
	}
	var printed []logs.Message
	for deadline := time.Now().Add(waitLogs); len(printed) < 3 && time.Now().Before(deadline); {
		printed = printed[:0]
		for _, m := range s.query(t, logger, request) {
			if m.Name != s.called("printing") || m.Namespace != s.Namespace || m.Timestamp.IsZero() || m.Instance == "" {
				t.Fatalf("message %+v", m)
			}
			if strings.Contains(m.Text, s.Prints) {
				printed = append(printed, m)
			}
		}
	}
	if len(printed) != 3 {
		t.Fatalf("%d of 3 lines in %v", len(printed), printed)
	}
	if !slices.IsSortedFunc(printed, func(a, b logs.Message) int { return a.Timestamp.Compare(b.Timestamp) }) {
		t.Errorf("lines out of order: %v", printed)
	}
	tail, other, future := request, request, request
	tail.Tail = 1
	if got := s.query(t, logger, tail); len(got) != 1 {
		t.Errorf("tail=1 gives %v", got)
	}
	other.Instance = "no-such-instance"
	if got := s.query(t, logger, other); len(got) != 0 {
		t.Errorf("another instance gives %v", got)
	}
	later := time.Now().Add(time.Hour)
	future.Since = &later
	if got := s.query(t, logger, future); len(got) != 0 {
		t.Errorf("since the future gives %v", got)
	}
}

// query returns all messages of a query that does not follow.
func (s Subject) query(t *testing.T, logger backend.Logger, request logs.Request) []logs.Message {
	t.Helper()
	messages, err := logger.Query(t.Context(), request)
	must(t, "query logs", err)
	var out []logs.Message
	for m := range messages {
		out = append(out, m)
	}
	return out
}

func followLogs(t *testing.T, s Subject) {
	logger, request, ok := s.printing(t)
	if !ok {
		return
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	request.Follow = true
	messages, err := logger.Query(ctx, request)
	must(t, "query logs", err)
	timeout := time.NewTimer(waitLogs)
	defer timeout.Stop()
	for range 2 {
		s.call(t, "printing")
		for seen := false; !seen; {
			select {
			case m, ok := <-messages:
				if !ok {
					t.Fatal("followed logs ended")
				}
				seen = strings.Contains(m.Text, s.Prints)
			case <-timeout.C:
				t.Fatalf("no line with %q", s.Prints)
			}
		}
	}
	end()
	for range messages { // ends because the client went
	}
}

func usage(t *testing.T, s Subject) {
	s.deploy(t, s.deployment("used"))
	s.call(t, "used")
	if meter, ok := can[backend.Meter](t, s, Usage); ok {
		if _, err := meter.Usage(t.Context(), s.name("used")); !lacks(t, s, Usage, err) {
			must(t, "usage", err)
			_, err = meter.Usage(t.Context(), s.name("missing"))
			want(t, "Usage of a missing function", err, backend.ErrNotFound)
		}
	}
	if accountant, ok := can[backend.Accountant](t, s, Consumption); ok {
		month := time.Now().UTC().AddDate(0, 0, -1)
		if _, err := accountant.Consumption(t.Context(), s.name("used"), month); !lacks(t, s, Consumption, err) {
			must(t, "consumption", err)
			_, err = accountant.Consumption(t.Context(), s.name("missing"), month)
			want(t, "Consumption of a missing function", err, backend.ErrNotFound)
		}
	}
}

func async(t *testing.T, s Subject) {
	if !slices.Contains(s.Must, Async) {
		t.Log("not asked for")
		return
	}
	s.deploy(t, s.deployment("later"))
	if answer := s.call(t, "later", backend.AsyncHeader, "Event"); answer.StatusCode != http.StatusAccepted {
		t.Errorf("answered %d", answer.StatusCode)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Header.Set(backend.AsyncHeader, "Event")
	_, err := s.Backend.Invoke(t.Context(), s.name("missing"), r)
	want(t, "Invoke of a missing function", err, backend.ErrNotFound)
}

func check(t *testing.T, s Subject) {
	if checker, ok := can[backend.Checker](t, s, Check); ok {
		must(t, "check", checker.Check(t.Context()))
	}
}
