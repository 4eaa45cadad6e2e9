// Command handler serves function.Handle to the watchdog in front of it, and the
// events of Lambda's triggers to function.HandleEvent where there is one.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"handler/function"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, "127.0.0.1:8082"); err != nil {
		log.Fatal(err)
	}
}

// serve answers on addr until ctx ends and then lets the requests under way
// finish.
func serve(ctx context.Context, addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		done <- server.Shutdown(context.WithoutCancel(ctx))
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

// event handles the event of a trigger; nil where the function has no
// HandleEvent.
var event func(ctx context.Context, payload []byte) ([]byte, error)

// handler tells the events of triggers from requests. Elsewhere than on Lambda
// there are none, whatever a client's headers say.
func handler() http.Handler {
	onLambda := os.Getenv("AWS_LAMBDA_FUNCTION_NAME") != ""
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if event != nil && onLambda && r.Header.Get("X-Lambda-Event-Source") != "" {
			serveEvent(w, r)
			return
		}
		function.Handle(w, r)
	})
}

// serveEvent answers with what the function returns. An error is status 500,
// which makes the invocation a failed one, and the trigger try again.
func serveEvent(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx := r.Context()
	if ms, err := strconv.ParseInt(r.Header.Get("X-Lambda-Deadline-Ms"), 10, 64); err == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, time.UnixMilli(ms))
		defer cancel()
	}
	answer, err := event(ctx, payload)
	if err != nil {
		log.Print(err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // the watchdog has gone, and its client with it
}
