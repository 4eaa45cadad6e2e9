package api

import (
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// asyncFunction is the route on which OpenFaaS' gateway queues an invocation.
const asyncFunction = "/async-function/"

// invokeAsync hands an invocation to the platform and answers 202 as soon as it
// was taken. An OpenFaaS gateway in front has a queue of its own and sends what
// comes out of it to /function; this route is for who has none.
func (s *server) invokeAsync(w http.ResponseWriter, r *http.Request) {
	name := mux.Vars(r)["name"]
	out := outgoing(r, asyncFunction, name)
	out.Header.Set(backend.AsyncHeader, "Event")
	s.forward(w, r, out)
}

// uncallable is the error of an invocation that nobody waits for and whose caller
// wants to be called back; nil for every other. A queue in front, which does call
// back, leaves the header in what it sends, but waits for the answer.
func uncallable(r *http.Request) error {
	if !backend.Async(r) || r.Header.Get("X-Callback-Url") == "" {
		return nil
	}
	return backend.As(backend.ErrUnsupported, errors.New("X-Callback-Url is not supported: nobody here waits for the answer of an asynchronous invocation; the queue of an OpenFaaS gateway does"))
}
