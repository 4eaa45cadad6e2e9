package aws

import (
	"net/http"
	"strings"
	"testing"
)

func TestCheckIsRememberedAndTellsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, code string
		status     int
		says       string // empty when it is ready
	}{
		{"well", "", 0, ""},
		{"throttled", "TooManyRequestsException", http.StatusTooManyRequests, ""},
		{"not allowed", "AccessDeniedException", http.StatusForbidden, "AccessDeniedException"},
		{"down", "ServiceException", http.StatusInternalServerError, "ServiceException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFakeLambda(t)
			f.fault = func(op string, w http.ResponseWriter) bool {
				if c.code == "" {
					return false
				}
				refuse(w, c.status, c.code, "no")
				return true
			}
			first := f.Check(t.Context())
			calls := len(f.calls)
			second := f.Check(t.Context())
			if len(f.calls) != calls || calls == 0 {
				t.Errorf("%d calls, then %d", calls, len(f.calls))
			}
			for _, err := range []error{first, second} {
				if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}
