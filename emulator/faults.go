package emulator

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/ecr"
	"github.com/faas-lambda/faas-lambda/emulator/faults"
	"github.com/faas-lambda/faas-lambda/emulator/lambda"
	"github.com/faas-lambda/faas-lambda/emulator/s3"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// Faults are what goes wrong on request: nothing at first. They are also added, listed and removed over HTTP, at faults.Path of the endpoint.
func (s *Server) Faults() *faults.Set { return &s.faults }

// CallOf tells what a request calls, as faults are matched with it. Its operation is empty where it is none of AWS's, as for a download of code.
func (s *Server) CallOf(r *http.Request) faults.Call {
	service := serviceOf(r)
	c := faults.Call{Service: service, AccessKey: wire.CallerOf(r).AccessKey}
	switch {
	case service == "" && isRegistry(r):
		c.Service, c.Operation, c.AccessKey = "registry", registryOperation(r), ecr.Caller(r)
	case service == "s3":
		c.Operation = s.services.objects.Operation(r)
	case r.Header.Get("X-Amz-Target") != "" || service != "" && service != "lambda":
		c.Operation = wire.Operation(r)
	default:
		if c.Operation, c.Function = lambda.Call(r); c.Operation != "" {
			c.Service = "lambda"
		}
	}
	return c
}

// refuse words the error of a fault as the service does.
func refuse(w http.ResponseWriter, r *http.Request, c faults.Call, f faults.Refusal) {
	words := map[string]refusalWords{
		"lambda": {429, "TooManyRequestsException", "ServiceException"}, "s3": {503, "SlowDown", "InternalError"},
		"registry": {429, "TOOMANYREQUESTS", "UNKNOWN"},
		"sts":      {400, "Throttling", "InternalFailure"}, "iam": {400, "Throttling", "ServiceFailure"},
	}[c.Service]
	words = cmp.Or(words, refusalWords{400, "ThrottlingException", "InternalFailure"})
	status, code := cmp.Or(f.Status, http.StatusInternalServerError), cmp.Or(f.Code, words.failure)
	if f.Throttled {
		status, code = words.status, words.throttle
	}
	switch {
	case c.Service == "registry":
		ecr.Refuse(w, status, code, f.Message)
	case c.Service == "s3":
		s3.Refuse(w, r, status, code, f.Message)
	case c.Service == "lambda" && r.Header.Get("X-Amz-Target") == "", c.Service == "":
		lambda.Refuse(w, status, code, f.Message, f.Throttled)
	default:
		wire.Fail(w, r, &wire.Error{Status: status, Code: code, Message: f.Message})
	}
}

// refusalWords are a service's own: the status and code of too many requests, and the code of a failure of its own.
type refusalWords struct {
	status            int
	throttle, failure string
}

// registryOperation names a request of the image registry by its method and what it is about: "PUT manifests".
func registryOperation(r *http.Request) string {
	for _, what := range []string{"manifests", "uploads", "blobs"} {
		if strings.Contains(r.URL.Path, "/"+what+"/") {
			return r.Method + " " + what
		}
	}
	return r.Method
}
