package function

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandleEscapesItsInput(t *testing.T) {
	w := httptest.NewRecorder()
	Handle(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("<world>")))
	if got, want := w.Body.String(), "<p>Hello, &lt;world&gt;!</p>\n"; got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
}
