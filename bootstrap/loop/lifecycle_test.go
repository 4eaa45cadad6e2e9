package loop_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/faas-lambda/faas-lambda/bootstrap/loop"
)

// TestSeveralAtATime has four invocations wait for one another: they end only
// when all four run at once.
func TestSeveralAtATime(t *testing.T) {
	p := startHTTPWith(t, []string{"AWS_LAMBDA_MAX_CONCURRENCY=4"})
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			body := fmt.Appendf(nil, "caller %d", i)
			r, err := p.api.Invoke(t.Context(), httpEvent(http.MethodPost, "/meet/4", "", nil, body, true))
			if err != nil {
				t.Error(err)
				return
			}
			if _, got := split(t, r); string(got) != string(body) {
				t.Errorf("caller %d got %q", i, got)
			}
		})
	}
	group.Wait()
	if twice := p.api.Twice(); len(twice) > 0 {
		t.Errorf("answered twice: %v", twice)
	}
}

// TestSIGTERMReachesTheFunction registers as an extension, and passes the signal
// on.
func TestSIGTERMReachesTheFunction(t *testing.T) {
	note := t.TempDir() + "/ended"
	p := startHTTPWith(t, nil, "NOTE="+note)
	if name := <-p.api.Registered; name != "faas-lambda" {
		t.Errorf("registered as %q", name)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("bootstrap: %v", err)
	}
	if said, err := os.ReadFile(note); err != nil || string(said) != "terminated" {
		t.Errorf("the function noted %q, %v", said, err)
	}
}

func TestSnapStartWaitsForItsRestore(t *testing.T) {
	p := startHTTPWith(t, []string{"AWS_LAMBDA_INITIALIZATION_TYPE=snap-start"})
	<-p.api.Restored
	if m, _ := split(t, invoke(t, p, httpEvent(http.MethodGet, "/", "", nil, nil, true))); m.StatusCode != http.StatusOK {
		t.Errorf("status %d after the restore", m.StatusCode)
	}
}

// TestFirstAnswerTellsOfAColdStart looks at the answers of one sandbox, by how
// it was started.
func TestFirstAnswerTellsOfAColdStart(t *testing.T) {
	const tells = `"faasLambda":{"coldStart":true}`
	enveloped, plain := httpEvent(http.MethodGet, "/", "", nil, nil, true), httpEvent(http.MethodGet, "/", "", nil, nil, false)
	for _, c := range []struct {
		name   string
		env    []string
		events [][]byte
		want   []bool
	}{
		{"on demand", nil, [][]byte{enveloped, enveloped}, []bool{true, false}},
		{"restored", []string{"AWS_LAMBDA_INITIALIZATION_TYPE=snap-start"}, [][]byte{enveloped, enveloped}, []bool{true, false}},
		{"provisioned", []string{"AWS_LAMBDA_INITIALIZATION_TYPE=provisioned-concurrency"}, [][]byte{enveloped}, []bool{false}},
		{"the first was somebody else's", nil, [][]byte{plain, enveloped}, []bool{false, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startHTTPWith(t, c.env)
			for i, e := range c.events {
				r := invoke(t, p, e)
				head, _, _ := bytes.Cut(r.Body, make([]byte, 8))
				if got := bytes.Contains(head, []byte(tells)); got != c.want[i] || r.ErrorType != "" {
					t.Errorf("answer %d tells of a cold start: %t, want %t (%s)", i, got, c.want[i], head)
				}
			}
		})
	}
}

func TestSettingsRefuse(t *testing.T) {
	for _, bad := range []string{"AWS_LAMBDA_MAX_CONCURRENCY=0", "AWS_LAMBDA_MAX_CONCURRENCY=many", "FAAS_LAMBDA_INVOKE_MODE=fast", "FAAS_LAMBDA_INIT_TIMEOUT=-1s"} {
		name, _, _ := strings.Cut(bad, "=")
		if _, err := loop.ParseSettings([]string{"AWS_LAMBDA_RUNTIME_API=127.0.0.1:1", bad}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
