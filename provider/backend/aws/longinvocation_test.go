package aws

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/invocation"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/payload"
)

// TestNothingEndsALongInvocation lets Lambda answer after 15 minutes, its longest
// invocation, without a byte on the wire before: by the bubble's clock, over the
// transport that the backend makes.
func TestNothingEndsALongInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := Open(t.Context(), Options{Endpoint: "http://lambda.test", Region: "us-east-1", AccessKey: "a", SecretKey: "s"})
		if err != nil {
			t.Fatal(err)
		}
		near, far := net.Pipe()
		carrier := transportOf(b.config.HTTPClient)
		transport, ok := carrier.(*http.Transport)
		if !ok {
			t.Fatalf("the transport is a %T", carrier)
		}
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return near, nil }
		defer transport.CloseIdleConnections()
		served := make(chan error, 1)
		go func() {
			r, err := http.ReadRequest(bufio.NewReader(far))
			if err == nil {
				_, err = io.Copy(io.Discard, r.Body)
			}
			time.Sleep(maxTimeout)
			_, sent := io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
			served <- errors.Join(err, sent)
		}()
		begin := time.Now()
		sent := payload.New([]byte(`{"a":"b"}`), nil)
		defer sent.Release()
		answer, err := invocation.New(b.home.lambda.Options(), transport, b.home.clock).Send(t.Context(), invocation.Call{Target: invocation.Target{Function: "slow"}, Payload: sent}, 0)
		if err != nil {
			after := time.Since(begin)
			<-served // the bubble's clock stands still without this goroutine
			t.Fatalf("after %s: %v", after, err)
		}
		body, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close(), <-served); err != nil || string(body) != "done" || time.Since(begin) < maxTimeout {
			t.Errorf("%q after %s, %v", body, time.Since(begin), err)
		}
	})
}
