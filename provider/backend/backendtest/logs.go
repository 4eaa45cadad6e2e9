package backendtest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/logs"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

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
const waitLogs = 2 * time.Minute

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
