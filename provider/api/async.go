package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// asyncFunction is the route on which OpenFaaS' gateway queues an invocation.
const asyncFunction = "/async-function/"

// invokeAsync hands an invocation to the platform and answers 202 as soon as it
// was taken. An OpenFaaS gateway in front has a queue of its own and sends what
// comes out of it to /function; this route is for who has none. Whether somebody
// calls back is the backend's to say.
func (s *server) invokeAsync(w http.ResponseWriter, r *http.Request) {
	name := mux.Vars(r)["name"]
	out := outgoing(r, asyncFunction, name)
	out.Header.Set(backend.AsyncHeader, "Event")
	s.forward(w, r, out)
}
