package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/api"
	"github.com/faas-lambda/faas-lambda/provider/backend/memory"
)

// pipes is a listener whose connections are in this process, where a bubble's
// clock runs.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p.dialed <- far
	return near, nil
}

// TestTheServerEndsNothingThatLasts invokes a function that takes 15 minutes, and
// follows logs for as long, with the shortest timeouts that can be configured:
// they are for the headers of requests and for /system alone.
func TestTheServerEndsNothingThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const longest = 15 * time.Minute
		functions := memory.New()
		slow := map[string]string{"com.openfaas.memory/delay": longest.String(), "com.openfaas.memory/body": "done"}
		if err := functions.Deploy(t.Context(), types.FunctionDeployment{Service: "slow", Image: "i", Namespace: "openfaas-fn", Annotations: &slow}); err != nil {
			t.Fatal(err)
		}
		handler := api.New(functions, api.Options{Namespace: "openfaas-fn", ReadTimeout: time.Second, WriteTimeout: time.Second, Logger: slog.New(slog.DiscardHandler)})
		listener := pipes{make(chan net.Conn), make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- serveHTTP(ctx, listener, handler, time.Second, ending{grace: time.Second}) }()
		transport := &http.Transport{DialContext: listener.dial}
		client := &http.Client{Transport: transport}
		begin := time.Now()

		logs := request(t, client, http.MethodGet, "/system/logs?name=slow&follow=true", "")
		answer := request(t, client, http.MethodPost, "/function/slow", "x")
		body, err := io.ReadAll(answer.Body)
		if err != nil || string(body) != "done" || answer.StatusCode != http.StatusOK || time.Since(begin) < longest {
			t.Errorf("after %s: %d %q, %v", time.Since(begin), answer.StatusCode, body, err)
		}
		if lines := bufio.NewScanner(logs.Body); !lines.Scan() {
			t.Errorf("after %s no log line: %v", time.Since(begin), lines.Err())
		}
		if err := errors.Join(answer.Body.Close(), logs.Body.Close()); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func request(t *testing.T, client *http.Client, method, path, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://provider"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
