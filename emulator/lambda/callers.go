package lambda

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// What the other services of the embedded AWS use of Lambda.

// InvokeLater invokes a function asynchronously, as other services do: through the API.
func (s *Service) InvokeLater(function string, payload []byte) error {
	path := "/2015-03-31/functions/" + url.PathEscape(function) + "/invocations"
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, path, bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("invoke %s: %w", function, err)
	}
	r.Header.Set("X-Amz-Invocation-Type", invokeAsync)
	answer := &answer{header: http.Header{}}
	s.serve(answer, r)
	if answer.status != http.StatusAccepted {
		return fmt.Errorf("invoke %s: status %d: %s", function, answer.status, answer.body.String())
	}
	return nil
}

// answer is a ResponseWriter that keeps what it gets.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// Invites says why a function's policy does not let a service invoke it.
func (s *Service) Invites(function, service, source string) error {
	q, ok := parseRef(function, nameRegexp)
	if !ok {
		return fmt.Errorf("%s is no function", function)
	}
	ask := asking{action: invokeAction, service: service, context: map[string]string{
		strings.ToLower(sourceARNKey): source, strings.ToLower(sourceAccountKey): s.opts.Account,
	}}
	if !s.attachedTo(q).Policy.permits(ask) {
		return fmt.Errorf("the policy of %s does not let %s invoke it on behalf of %s", function, service, source)
	}
	return nil
}

// Takes tells whether a service may invoke a function on behalf of a source, and whether the function can be invoked at all.
func (s *Service) Takes(function, service, source string) bool {
	q, ok := parseRef(function, nameRegexp)
	return ok && s.invocable(q) == nil && s.Invites(function, service, source) == nil
}
