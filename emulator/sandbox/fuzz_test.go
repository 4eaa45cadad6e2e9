package sandbox

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzRuntimeAPI sends one request of a runtime gone mad while an invocation runs: it gets an answer of the API and nothing breaks.
func FuzzRuntimeAPI(f *testing.F) {
	f.Add("POST", "/2018-06-01/runtime/invocation/id/response", "", "body")
	f.Add("POST", "/2018-06-01/runtime/invocation/id/response", "streaming", "body")
	f.Add("POST", "/2018-06-01/runtime/invocation/id/error", "", "{")
	f.Add("POST", "/2018-06-01/runtime/invocation//response", "other", "")
	f.Add("POST", "/2018-06-01/runtime/init/error", "", "")
	f.Add("POST", "/2020-01-01/extension/register", "", `{"events":["SHUTDOWN"]}`)
	f.Add("GET", "/2020-01-01/extension/event/next", "", "")
	f.Fuzz(func(t *testing.T, method, path, mode, body string) {
		s := &Sandbox{spec: Spec{Log: func([]byte) {}}, exited: make(chan struct{})}
		s.state.init()
		handler := s.runtimeAPI()
		if _, refused := s.state.poll(); refused != nil {
			t.Fatal(refused)
		}
		c := &call{Invocation: Invocation{RequestID: "id", Deadline: time.Now()}, finished: make(chan struct{})}
		c.begin = func(r Response) {
			if err := r.Body.Close(); err != nil {
				t.Error(err)
			}
		}
		s.state.submit(c)
		r, err := http.NewRequestWithContext(t.Context(), method, "http://sandbox/", strings.NewReader(body))
		if err != nil {
			return // not a method
		}
		r.URL.Path = path
		r.Header[headerMode] = []string{mode}
		s.state.end() // polls return at once
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 599 {
			t.Errorf("status %d", w.Code)
		}
		if c.handled != nil {
			<-c.handled
		}
	})
}
