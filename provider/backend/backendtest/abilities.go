package backendtest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

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
