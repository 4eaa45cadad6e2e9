package aws

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		code   string
		says   string // of the error; empty for none
	}{
		"answers":             {200, "", ""},
		"may not be asked":    {403, "AccessDeniedException", ""},
		"is asked too much":   {429, "TooManyRequestsException", ""},
		"knows nobody":        {403, "UnrecognizedClientException", "UnrecognizedClientException"},
		"credentials are old": {403, "ExpiredTokenException", "ExpiredTokenException"},
		"is broken":           {500, "ServiceException", "ServiceException"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeLambda(t)
			f.checks.wait = time.Minute
			var asked atomic.Int32
			f.each = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/account-settings") {
					return false
				}
				asked.Add(1)
				if c.status == 200 {
					_, _ = w.Write([]byte(`{}`))
				} else {
					refuse(w, c.status, c.code, "because")
				}
				return true
			}
			for range 3 { // the first is remembered
				err := f.Check(t.Context())
				f.checks.until = f.checks.until.Add(time.Hour) // a second is soon over on a busy machine
				if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v, want %q", err, c.says)
				}
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("Lambda was asked %d times", n)
			}
		})
	}
}

func TestCheckOfWhatCannotBeReached(t *testing.T) {
	f := newFakeLambda(t)
	gone, err := Open(t.Context(), Options{
		Namespace: "openfaas-fn", Role: "arn:aws:iam::000000000000:role/r", Arch: "amd64", Memory: 256, MetricsFreshness: -1,
		CodeBucket: noBucket, Endpoint: "http://127.0.0.1:1", Region: "us-east-1", AccessKey: "a", SecretKey: "s",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Check(t.Context()); err == nil {
		t.Error("nobody listens, and the check says nothing")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Check(ended); err == nil {
		t.Error("a check that is given up says nothing")
	}
	if !f.checks.until.IsZero() {
		t.Error("a check that was given up is remembered")
	}
}
