package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEventsGoToTheirHandler(t *testing.T) {
	event = func(ctx context.Context, payload []byte) ([]byte, error) {
		if _, ok := ctx.Deadline(); !ok {
			return nil, errors.New("no deadline")
		}
		return append([]byte("event:"), payload...), nil
	}
	t.Cleanup(func() { event = nil })
	for name, c := range map[string]struct {
		onLambda     string
		source, want string
		status       int
	}{
		"event on Lambda":        {"fn", "aws:sqs", "event:x", 200},
		"request on Lambda":      {"fn", "", "<p>Hello, x!</p>\n", 200},
		"forged event elsewhere": {"", "aws:sqs", "<p>Hello, x!</p>\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_LAMBDA_FUNCTION_NAME", c.onLambda)
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x"))
			r.Header.Set("X-Lambda-Event-Source", c.source)
			r.Header.Set("X-Lambda-Deadline-Ms", "4102444800000")
			w := httptest.NewRecorder()
			handler().ServeHTTP(w, r)
			if w.Code != c.status || w.Body.String() != c.want {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		})
	}
}

func TestAFailedEventIsStatus500(t *testing.T) {
	event = func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no ink") }
	t.Cleanup(func() { event = nil })
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "fn")
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x"))
	r.Header.Set("X-Lambda-Event-Source", "aws:sqs")
	w := httptest.NewRecorder()
	handler().ServeHTTP(w, r)
	if w.Code != 500 || !strings.Contains(w.Body.String(), "no ink") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}
