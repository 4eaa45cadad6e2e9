package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	faaslogs "github.com/openfaas/faas-provider/logs"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// logs answers with what a function printed, one JSON object a line, each sent
// when it is there. With follow=true the answer ends when the client goes or
// the server closes, else when everything was sent.
func (s *server) logs(w http.ResponseWriter, r *http.Request) {
	logger, ok := s.backend.(backend.Logger)
	if !ok {
		s.lacks("logs are not supported by this provider")(w, r)
		return
	}
	request, err := logRequest(r.URL.Query(), time.Now())
	if err == nil {
		var name backend.Name
		name, err = s.resolve(r.Context(), request.Name, request.Namespace)
		request.Name, request.Namespace = name.Function, name.Namespace
	}
	// The query ends with this answer, however that ends.
	ctx, end := context.WithCancel(r.Context())
	defer end()
	if wanted, _ := strconv.ParseBool(r.URL.Query().Get("platform")); wanted {
		ctx = backend.WithPlatformLines(ctx)
	}
	var messages <-chan faaslogs.Message
	if err == nil {
		messages, err = logger.Query(ctx, request)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.sendLogs(ctx, w, messages)
	end()
	for range messages { // nobody is left waiting to send
	}
}

// sendLogs writes messages until they, the client or the server ends.
func (s *server) sendLogs(ctx context.Context, w http.ResponseWriter, messages <-chan faaslogs.Message) {
	control := http.NewResponseController(w)
	if s.opts.WriteTimeout > 0 {
		defer func() { _ = control.SetWriteDeadline(time.Time{}) }()
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	if err := control.Flush(); err != nil {
		return
	}
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.opts.Closing:
			return
		case message, ok := <-messages:
			if !ok {
				return
			}
			if s.opts.WriteTimeout > 0 {
				// For each line: a client that reads nothing is gone.
				_ = control.SetWriteDeadline(time.Now().Add(s.opts.WriteTimeout))
			}
			if lines.Encode(message) != nil {
				return // the client is gone
			}
			if len(messages) == 0 && control.Flush() != nil {
				return
			}
		}
	}
}

// logRequest reads a query for logs. A number that clients leave out or set to
// -1 is no limit; since is a time (RFC 3339), as faas-cli sends it, or how long
// ago, such as 5m.
func logRequest(query url.Values, now time.Time) (faaslogs.Request, error) {
	request := faaslogs.Request{Name: query.Get("name"), Namespace: query.Get("namespace"), Instance: query.Get("instance")}
	if request.Name == "" {
		return request, backend.Errorf(backend.ErrInvalid, "name, the function whose logs are asked for, is missing")
	}
	if tail := query.Get("tail"); tail != "" {
		n, err := strconv.Atoi(tail)
		if err != nil {
			return request, backend.Errorf(backend.ErrInvalid, "tail=%s: want a number of lines", tail)
		}
		request.Tail = max(n, 0)
	}
	if follow := query.Get("follow"); follow != "" {
		yes, err := strconv.ParseBool(follow)
		if err != nil {
			return request, backend.Errorf(backend.ErrInvalid, "follow=%s: want true or false", follow)
		}
		request.Follow = yes
	}
	if since := query.Get("since"); since != "" {
		at, err := time.Parse(time.RFC3339, since)
		if err != nil {
			ago, durationErr := time.ParseDuration(since)
			if durationErr != nil || ago < 0 {
				return request, backend.Errorf(backend.ErrInvalid, "since=%s: want a time such as 2006-01-02T15:04:05Z or a duration such as 5m", since)
			}
			at = now.Add(-ago)
		}
		if !at.IsZero() { // faas-cli's zero time means from the beginning
			request.Since = &at
		}
	}
	return request, nil
}
