package emulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/ecr"
	"github.com/faas-lambda/faas-lambda/emulator/faults"
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
		key, target, _, ok := parseRoute(r.Method, r.URL.EscapedPath())
		if !ok {
			return c
		}
		c.Operation = operationOf(key, r.URL.Query())
		if c.Operation == "" {
			return c
		}
		c.Service = "lambda"
		if c.Operation == "CreateFunction" {
			target = createdName(r)
		}
		if ref, ok := parseRef(target, nameRegexp); ok && (key.resource == "functions" || key.resource == "tags") {
			c.Function = ref.name
		}
	}
	return c
}

// createdName is the name of the function that a request is to create, which is in its body. The body can still be read.
func createdName(r *http.Request) string {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxRequest)) // what is too large is refused later
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(data), r.Body), r.Body}
	var in struct{ FunctionName string }
	if err != nil || json.Unmarshal(data, &in) != nil {
		return ""
	}
	return in.FunctionName
}

// operationOf is AWS's name of the operation at a route; "" for what is none of Lambda's.
func operationOf(key route, query map[string][]string) string {
	has := func(name string) bool { _, ok := query[name]; return ok }
	switch name := operationNames[key]; {
	case name == "GetProvisionedConcurrencyConfig" && has("List"):
		return "ListProvisionedConcurrencyConfigs"
	case name == "ListLayers" && has("find"):
		return "GetLayerVersionByArn"
	default:
		return name
	}
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
		writeJSON(w, status, map[string]any{"errors": []map[string]string{{"code": code, "message": f.Message}}})
	case c.Service == "s3":
		s3.Refuse(w, r, status, code, f.Message)
	case c.Service == "lambda" && r.Header.Get("X-Amz-Target") == "", c.Service == "":
		refusal := &apiError{status: status, code: code, message: f.Message}
		if f.Throttled {
			refusal.reason = "CallerRateLimitExceeded"
		}
		writeError(w, refusal)
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

// isRegistry tells requests of the image registry, which are not signed.
func isRegistry(r *http.Request) bool {
	return r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/")
}
