// Package lambdatest is a Lambda Runtime API on loopback for tests and
// benchmarks, and starts bootstraps against it. It is written from AWS's
// documents and shares nothing with the client it tests.
package lambdatest

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Result is what a bootstrap answered to one invocation.
type Result struct {
	Body        []byte
	ContentType string
	Streamed    bool   // by Lambda-Runtime-Function-Response-Mode
	ErrorType   string // of a failed invocation, or of the trailers
	ErrorBody   string
	Length      int64 // Content-Length of the answer; -1 when it was chunked
}

// API is a Runtime API for one function. Its fields may be set before the first
// invocation.
type API struct {
	Timeout  time.Duration     // of an invocation; 0 is a minute
	Header   map[string]string // more headers of /next
	TooLarge int64             // answers longer than this get 413; 0 is no limit

	// InitFailed gets the errors of failed initializations.
	InitFailed chan Result
	// Ready gets one value each time a runtime asks for its next invocation.
	Ready chan struct{}
	// Registered gets the names of extensions.
	Registered chan string
	// Restored gets one value each time a runtime asks to be restored from a
	// snapshot, which it is at once.
	Restored chan struct{}

	listener net.Listener
	server   *http.Server
	next     chan *invocation
	done     chan struct{}

	mu      sync.Mutex // guards the fields below
	count   int
	running map[string]*invocation
	twice   []string // ids answered more than once, or never given out
}

type invocation struct {
	id      string
	event   []byte
	timeout time.Duration
	result  chan Result
}

// Start listens on a free loopback port.
func Start() (*API, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &API{
		InitFailed: make(chan Result, 8), Ready: make(chan struct{}, 1024), Registered: make(chan string, 8), Restored: make(chan struct{}, 8),
		listener: l, next: make(chan *invocation), done: make(chan struct{}), running: map[string]*invocation{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.serveNext)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", a.serveAnswer)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", a.serveAnswer)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", a.serveInitError)
	mux.HandleFunc("GET /2018-06-01/runtime/restore/next", func(http.ResponseWriter, *http.Request) { a.Restored <- struct{}{} })
	mux.HandleFunc("POST /2020-01-01/extension/register", a.serveRegister)
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) { a.park(r.Context()) })
	a.server = &http.Server{Handler: mux}
	go func() { _ = a.server.Serve(l) }() // ends with Close
	return a, nil
}

// Addr is what AWS_LAMBDA_RUNTIME_API is to be.
func (a *API) Addr() string { return a.listener.Addr().String() }

// Close ends the API: what waits for an invocation gets an error.
func (a *API) Close() error {
	close(a.done)
	return a.server.Close()
}

// Twice returns the ids that were answered more than once.
func (a *API) Twice() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.twice
}

// Invoke has the event served and returns the answer.
func (a *API) Invoke(ctx context.Context, event []byte) (Result, error) {
	return a.InvokeWithin(ctx, cmp.Or(a.Timeout, time.Minute), event)
}

// InvokeWithin is Invoke with another timeout than the API's own.
func (a *API) InvokeWithin(ctx context.Context, timeout time.Duration, event []byte) (Result, error) {
	a.mu.Lock()
	a.count++
	inv := &invocation{id: fmt.Sprintf("00000000-0000-4000-8000-%012d", a.count), event: event, timeout: timeout, result: make(chan Result, 1)}
	a.running[inv.id] = inv
	a.mu.Unlock()
	select {
	case a.next <- inv:
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	select {
	case r := <-inv.result:
		return r, nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

func (a *API) park(ctx context.Context) {
	select {
	case <-a.done:
	case <-ctx.Done():
	}
}

func (a *API) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case a.Ready <- struct{}{}:
	default:
	}
	select {
	case inv := <-a.next:
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(inv.timeout).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:test")
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")
		for name, value := range a.Header {
			h.Set(name, value)
		}
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(inv.event)))
		_, _ = w.Write(inv.event) // a runtime that dies is seen by its test
	case <-a.done:
		w.WriteHeader(http.StatusInternalServerError)
	case <-r.Context().Done():
	}
}

func (a *API) serveAnswer(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	a.mu.Lock()
	inv := a.running[id]
	delete(a.running, id)
	if inv == nil {
		a.twice = append(a.twice, id)
	}
	a.mu.Unlock()
	if inv == nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	result, err := read(r, a.TooLarge)
	if errors.Is(err, errTooLarge) {
		inv.result <- Result{ErrorType: "Function.ResponseSizeTooLarge"}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, `{"errorType":"RequestEntityTooLarge","errorMessage":"Exceeded maximum allowed payload size"}`)
		return
	}
	if err != nil { // the runtime broke off: Lambda waits for its end or the timeout
		inv.result <- Result{ErrorType: "Runtime.Broken", ErrorBody: err.Error()}
		return
	}
	if strings.HasSuffix(r.URL.Path, "/error") {
		result.ErrorType, result.ErrorBody, result.Body = r.Header.Get("Lambda-Runtime-Function-Error-Type"), string(result.Body), nil
	}
	inv.result <- result
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`+"\n")
}

var errTooLarge = errors.New("too large")

func read(r *http.Request, limit int64) (Result, error) {
	result := Result{
		ContentType: r.Header.Get("Content-Type"), Length: r.ContentLength,
		Streamed: r.Header.Get("Lambda-Runtime-Function-Response-Mode") == "streaming",
	}
	from := io.Reader(r.Body)
	if limit > 0 {
		from = io.LimitReader(r.Body, limit+1)
	}
	var err error
	if r.ContentLength >= 0 {
		result.Body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(from, result.Body)
	} else {
		result.Body, err = io.ReadAll(from)
	}
	if limit > 0 && int64(len(result.Body)) > limit {
		return result, errTooLarge
	}
	if err != nil {
		return result, err
	}
	result.ErrorType = r.Trailer.Get("Lambda-Runtime-Function-Error-Type")
	text, err := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
	result.ErrorBody = string(text)
	return result, err
}

func (a *API) serveInitError(w http.ResponseWriter, r *http.Request) {
	result, err := read(r, 0)
	if err == nil {
		a.InitFailed <- Result{ErrorType: r.Header.Get("Lambda-Runtime-Function-Error-Type"), ErrorBody: string(result.Body)}
	}
	w.WriteHeader(http.StatusAccepted)
}

func (a *API) serveRegister(w http.ResponseWriter, r *http.Request) {
	a.Registered <- r.Header.Get("Lambda-Extension-Name")
	w.Header().Set("Lambda-Extension-Identifier", "ext-1")
}
