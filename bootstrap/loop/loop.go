// Package loop runs a function behind the Lambda Runtime API: next → event →
// watchdog → response. bootstrap and watchdog/fwatchdog start it.
package loop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/event"
	"github.com/faas-lambda/faas-lambda/bootstrap/runtimeapi"
)

// margin is how long before Lambda would kill the sandbox a request is answered
// with 504.
const margin = 100 * time.Millisecond

// worker serves one invocation at a time.
type worker struct {
	*loop
	api    *runtimeapi.Client
	events event.Decoder
}

// run serves invocations until ctx is done or the API cannot be used any more.
func (w *worker) run(ctx context.Context) error {
	for {
		inv, err := w.api.Next(ctx)
		if err != nil {
			return fmt.Errorf("get next invocation: %w", err)
		}
		if err := w.serve(ctx, inv); err != nil {
			// The caller has its error from Lambda; the next one is to be served.
			w.log.Error("invocation was not answered", "requestId", inv.ID, "error", err.Error())
		}
	}
}

// serve answers one invocation. Its error says that the API did not take the
// answer (it was too large, or came too late).
func (w *worker) serve(ctx context.Context, inv *runtimeapi.Invocation) error {
	e, err := w.events.Read(inv.Body, inv.Length)
	if err != nil {
		failure := runtimeapi.Failure{Type: "Runtime.InvalidEvent", Message: err.Error()}
		return errors.Join(inv.Body.Close(), w.api.Fail(ctx, inv.ID, failure))
	}
	if w.settings.Workers == 1 {
		w.current.Store(&inv.ID)
	}
	w.secrets.Refresh(ctx, inv.Deadline)
	reqCtx, cancel := withDeadline(ctx, inv.Deadline)
	defer cancel()
	a := newAnswer(ctx, w.api, inv.ID, e, w.settings)
	a.cold = !w.warm.Swap(true)
	if a.body, err = w.openBody(reqCtx, e); err != nil {
		a.refuse(err)
	} else {
		w.handle(a, request(reqCtx, e, inv))
	}
	err = errors.Join(a.body.close(), inv.Body.Close(), a.finish())
	if a.refusal != nil {
		w.log.Error("request was refused", "requestId", inv.ID, "error", a.refusal.Error())
	}
	return err
}

// handle runs the function. An answer that was broken off is in a.
func (w *worker) handle(a *answer, r *http.Request) {
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler {
			panic(v)
		}
	}()
	w.function.ServeHTTP(a, r)
}

// withDeadline limits ctx to the time that Lambda gives, less margin.
func withDeadline(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(margin, time.Until(deadline)/2)))
}

// request is the HTTP request of an event, with the context of its invocation
// in headers that replace what the client sent by those names.
func request(ctx context.Context, e *event.Event, inv *runtimeapi.Invocation) *http.Request {
	u, err := url.ParseRequestURI(e.Target)
	if err != nil { // such as "%zz": the function sees the target as it is
		u = &url.URL{Path: e.Target}
	}
	setContext(e, inv)
	r := &http.Request{
		Method: e.Method, URL: u, RequestURI: e.Target, Host: e.Host, RemoteAddr: e.Remote,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: e.Header, ContentLength: e.Length, Body: http.NoBody,
	}
	if e.Length != 0 {
		r.Body = io.NopCloser(e.Body)
	}
	if e.Length < 0 {
		r.TransferEncoding = []string{"chunked"}
	}
	return r.WithContext(ctx)
}
