package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// urlHandler serves a Lambda function as a function URL does: each request is an
// event of payload format 2.0, and the answer is a document of that format or
// the body itself (docs.aws.amazon.com/lambda, "Invoking Lambda function URLs").
type urlHandler struct{ lambda lambdaClient }

// maxURLBody is what fits into an invocation.
const maxURLBody = 6 << 20

// ServeHTTP implements http.Handler.
func (h urlHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxURLBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	event, err := json.Marshal(urlEvent(r, body, time.Now()))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := h.lambda.send(r.Context(), event)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	writeURLAnswer(w, answer)
}

// urlEvent is a request as a function URL hands it on.
func urlEvent(r *http.Request, body []byte, now time.Time) map[string]any {
	headers := map[string]string{"host": r.Host}
	var cookies []string
	for name, values := range r.Header {
		if name == "Cookie" {
			cookies = strings.Split(strings.Join(values, "; "), "; ")
			continue
		}
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	query := map[string]string{}
	for name, values := range r.URL.Query() {
		query[name] = strings.Join(values, ",")
	}
	event := map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": r.URL.EscapedPath(), "rawQueryString": r.URL.RawQuery, "headers": headers,
		"requestContext": map[string]any{
			"accountId": "anonymous", "apiId": "local", "domainName": r.Host, "domainPrefix": "local", "requestId": "local", "routeKey": "$default", "stage": "$default",
			"time": now.UTC().Format("02/Jan/2006:15:04:05 -0700"), "timeEpoch": now.UnixMilli(),
			"http": map[string]string{"method": r.Method, "path": r.URL.Path, "protocol": r.Proto, "sourceIp": "127.0.0.1", "userAgent": r.UserAgent()},
		},
		"isBase64Encoded": !utf8.Valid(body),
	}
	if len(query) > 0 {
		event["queryStringParameters"] = query
	}
	if len(cookies) > 0 {
		event["cookies"] = cookies
	}
	switch {
	case !utf8.Valid(body):
		event["body"] = base64.StdEncoding.EncodeToString(body)
	case len(body) > 0:
		event["body"] = string(body)
	}
	return event
}

// writeURLAnswer answers with what a function returned: a document with a status
// is a response, anything else is the body of one, as JSON.
func writeURLAnswer(w http.ResponseWriter, answer []byte) {
	var out struct {
		StatusCode      int               `json:"statusCode"`
		Headers         map[string]string `json:"headers"`
		Cookies         []string          `json:"cookies"`
		Body            string            `json:"body"`
		IsBase64Encoded bool              `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(answer, &out); err != nil || out.StatusCode < 100 || out.StatusCode > 999 {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer) // the client has left
		return
	}
	body := []byte(out.Body)
	if out.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(out.Body)
		if err != nil {
			http.Error(w, "the function's body is not base64: "+err.Error(), http.StatusBadGateway)
			return
		}
		body = decoded
	}
	for name, value := range out.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range out.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(out.StatusCode)
	_, _ = w.Write(body) // the client has left
}

// active waits until a function can be invoked.
func (c lambdaClient) active(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		state, reason, err := c.state(ctx)
		switch {
		case err != nil:
			return err
		case state == "Active":
			return nil
		case state == "Failed":
			return fmt.Errorf("create function %s: %s", c.function, reason)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// state reads the function's State.
func (c lambdaClient) state(ctx context.Context) (state, reason string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint+"/2015-03-31/functions/"+c.function+"/configuration", nil)
	if err != nil {
		return "", "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", "", fmt.Errorf("read function %s: %w", c.function, err)
	}
	defer answer.Body.Close()
	var out struct{ State, StateReason string }
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return "", "", fmt.Errorf("read function %s: %w", c.function, err)
	}
	return out.State, out.StateReason, nil
}
