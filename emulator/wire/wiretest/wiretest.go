// Package wiretest asks services of package wire in tests, over AWS JSON 1.1.
package wiretest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Ask sends one operation and returns the status and the answer.
func Ask(t testing.TB, api http.Handler, operation, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "Service."+operation)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	answer := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s answered %s: %v", operation, w.Body, err)
	}
	if w.Header().Get("X-Amzn-Requestid") == "" || w.Header().Get("Content-Type") != "application/x-amz-json-1.1" {
		t.Errorf("%s: headers %v", operation, w.Header())
	}
	return w.Code, answer
}

var changing = regexp.MustCompile(`"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"|:[0-9]{10}(\.[0-9]+)?\b|-[A-Z2-7]{6}"`)

// Steps asks for one operation after the other. Each step is its name, the operation, the body, and the whole answer: status and members, with an id
// as "ID", a time as :TIME, the random end of an ARN as -RANDOM.
func Steps(t testing.TB, api http.Handler, steps [][4]string) {
	t.Helper()
	for _, s := range steps {
		name, operation, body, want := s[0], s[1], s[2], s[3]
		status, got := Ask(t, api, operation, body)
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		plain := changing.ReplaceAllStringFunc(string(text), func(m string) string {
			switch m[0] {
			case '"':
				return `"ID"`
			case ':':
				return ":TIME"
			}
			return `-RANDOM"`
		})
		if diff := cmp.Diff(want, fmt.Sprintf("%d %s", status, plain)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// Fuzz asks for operations with any body: each is answered with JSON, and with no status but 200 or 400. The bodies are seeds, by operation.
func Fuzz(f *testing.F, api http.Handler, bodies map[string]string) {
	for operation, body := range bodies {
		f.Add(operation, body)
	}
	f.Fuzz(func(t *testing.T, operation, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header["X-Amz-Target"] = []string{operation}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: %d %s", operation, body, w.Code, w.Body)
		}
	})
}
