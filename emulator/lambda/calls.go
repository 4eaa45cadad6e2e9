package lambda

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// Call tells the operation that a request calls, and the function that it is about, "" where that is none or unknown. An operation is "" for what is
// none of Lambda's, as a download of code. The request can still be answered.
func Call(r *http.Request) (operation, function string) {
	key, target, _, ok := parseRoute(r.Method, r.URL.EscapedPath())
	if !ok {
		return "", ""
	}
	operation = operationOf(key, r.URL.Query())
	switch {
	case operation == "":
		return "", ""
	case operation == "CreateFunction":
		target = createdName(r)
	}
	if ref, ok := parseRef(target, nameRegexp); ok && (key.resource == "functions" || key.resource == "tags") {
		function = ref.name
	}
	return operation, function
}

// Refuse answers a request with an error that no operation has made, in Lambda's words; throttled says that there were too many requests.
func Refuse(w http.ResponseWriter, status int, code, message string, throttled bool) {
	refusal := &apiError{status: status, code: code, message: message}
	if throttled {
		refusal.reason = "CallerRateLimitExceeded"
	}
	writeError(w, refusal)
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
