package emulator

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// maxRequest is the size that a request must stay below (recorded from the real service).
const maxRequest = 70_167_211

// An operation answers one call of the API; what it returns is written as the error.
type operation func(w http.ResponseWriter, r *http.Request, target string) error

// route is one entry of the API model: version date and resource, with what comes after the resource's name.
type route struct{ method, version, resource, rest string }

func (s *Server) routes() map[route]operation {
	return map[route]operation{
		{"POST", "2015-03-31", "functions", ""}:                                s.createFunction,
		{"GET", "2015-03-31", "functions", ""}:                                 s.listFunctions,
		{"GET", "2015-03-31", "functions", "/"}:                                s.getFunction,
		{"DELETE", "2015-03-31", "functions", "/"}:                             s.deleteFunction,
		{"GET", "2015-03-31", "functions", "/configuration"}:                   s.getConfiguration,
		{"PUT", "2015-03-31", "functions", "/configuration"}:                   s.updateConfiguration,
		{"PUT", "2015-03-31", "functions", "/code"}:                            s.updateCode,
		{"POST", "2015-03-31", "functions", "/invocations"}:                    s.invoke,
		{"POST", "2021-11-15", "functions", "/response-streaming-invocations"}: s.invokeStream,
		{"PUT", "2017-10-31", "functions", "/concurrency"}:                     s.putConcurrency,
		{"DELETE", "2017-10-31", "functions", "/concurrency"}:                  s.deleteConcurrency,
		{"GET", "2019-09-30", "functions", "/concurrency"}:                     s.getConcurrency,
		{"GET", "2017-03-31", "tags", "/"}:                                     s.listTags,
		{"POST", "2017-03-31", "tags", "/"}:                                    s.tagResource,
		{"DELETE", "2017-03-31", "tags", "/"}:                                  s.untagResource,
		{"GET", "2016-08-19", "account-settings", ""}:                          s.accountSettings,
		{"GET", codePath, "code", "/"}:                                         s.downloadCode,
	}
}

// codePath is where GetFunction's Code.Location points; on AWS that is a presigned URL of S3.
const codePath = "_emulator"

// ServeHTTP answers one AWS API request. Signatures are not verified.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("x-amzn-RequestId", newID())
	if handle := s.calls[r.Header.Get("X-Amz-Target")]; handle != nil {
		handle(w, r)
		return
	}
	handle, target := s.find(r)
	if handle == nil {
		writeError(w, unknownOperation(r))
		return
	}
	if err := handle(w, r, target); err != nil {
		var known *apiError
		if !errors.As(err, &known) {
			s.opts.Logger.Error("request went wrong", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		writeError(w, err)
	}
}

func (s *Server) find(r *http.Request) (operation, string) {
	if r.Header.Get("X-Amz-Target") != "" {
		return nil, "" // an operation of a JSON protocol that is not one of s.calls
	}
	key, target, ok := parseRoute(r.Method, r.URL.EscapedPath())
	if !ok {
		return nil, ""
	}
	return s.operations[key], target
}

// parseRoute splits /VERSION/RESOURCE[/TARGET[/REST]]. The target may hold escaped characters; ARNs come so.
func parseRoute(method, path string) (key route, target string, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 4)
	if len(parts) < 2 {
		return route{}, "", false
	}
	key = route{method: method, version: parts[0], resource: parts[1]}
	if len(parts) == 2 || parts[2] == "" && len(parts) == 3 {
		return key, "", true
	}
	target, err := url.PathUnescape(parts[2])
	if err != nil || target == "" {
		return route{}, "", false
	}
	key.rest = "/"
	if len(parts) == 4 {
		key.rest += parts[3]
	}
	return key, target, true
}

// readJSON reads a request's body; operation is its name, for the error.
func readJSON(r *http.Request, operation string, into any) error {
	data, err := readBody(r, maxRequest-1)
	if errors.Is(err, errExceeded) {
		return tooLarge("Request must be smaller than %d bytes for the %s operation", maxRequest, operation)
	}
	if err != nil {
		return malformed(err)
	}
	if len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return malformed(err)
	}
	return nil
}
