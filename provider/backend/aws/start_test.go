package aws

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// TestNewVersionStartsBeforeItServes lets what is said of the new version decide
// whether it takes the place of the one before.
func TestNewVersionStartsBeforeItServes(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers func(http.ResponseWriter, *http.Request)
		kind    error
		says    string
	}{
		{"it answers", streams(chunk(`{"statusCode":200}`+nul+"OK"), end("{}")), nil, ""},
		{"it answers as an image without a watchdog does", streams(chunk(`{"statusCode":404}`+nul), end("{}")), nil, ""},
		{"it does not start", streams(end(`{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"exit status 3\"}"}`)), backend.ErrInvalid, "exit status 3"},
		{"it ends while it answers", streams(chunk(`{"statusCode":200}`+nul+"O"), end(`{"ErrorCode":"Runtime.ExitError","ErrorDetails":"died"}`)), backend.ErrInvalid, "died"},
		{"its answer is cut off", streams(chunk(`{"statusCode":200}` + nul + "O")), nil, ""},
		{"it takes too long", streams(end(`{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"Task timed out after 3.00 seconds\"}"}`)), backend.ErrInvalid, "timed out"},
		{"it may run nowhere now", func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, 429, "TooManyRequestsException", "Rate Exceeded.")
		}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFakeLambda(t)
			if err := f.deploy(t.Context(), t, types.FunctionDeployment{}, "zip"); err != nil {
				t.Fatal(err)
			}
			var asked string
			f.invoked = func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.Query().Get("Qualifier")
				c.answers(w, r)
			}
			err := f.deploy(t.Context(), t, types.FunctionDeployment{EnvVars: map[string]string{"NEW": "1"}}, "zip")
			if !errors.Is(err, c.kind) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v that says %q", err, c.kind, c.says)
			}
			live, left := 2, f.functions["hello"].versions[1]
			if c.kind != nil {
				live = 1
			}
			if f.functions["hello"].live != live || (left == nil) != (c.kind != nil) || asked != "2" {
				t.Errorf("version %d serves, want %d; version 2 is %v; %q was asked", f.functions["hello"].live, live, left, asked)
			}
		})
	}
}
