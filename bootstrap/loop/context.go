package loop

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/bootstrap/runtimeapi"
)

// contextPrefix begins the headers that carry an invocation's context. Nothing a
// client sends gets through under it.
const contextPrefix = "X-Lambda-"

// traceHeader carries the X-Ray trace id, as AWS's own services name it.
const traceHeader = "X-Amzn-Trace-Id"

// adapterHeaders carry the context behind AWS's Lambda Web Adapter. A function
// that was made for it trusts them, so a client must not be able to set them.
var adapterHeaders = []string{"X-Amzn-Lambda-Context", "X-Amzn-Request-Context"}

// setContext replaces all headers of the invocation's context.
func setContext(h http.Header, inv *runtimeapi.Invocation) {
	for name := range h {
		if len(name) >= len(contextPrefix) && strings.EqualFold(name[:len(contextPrefix)], contextPrefix) {
			delete(h, name)
		}
	}
	for _, name := range adapterHeaders {
		delete(h, name)
	}
	if inv.TraceID != "" {
		h[traceHeader] = []string{inv.TraceID}
	}
	set := func(name, value string) {
		if value != "" {
			h[contextPrefix+name] = []string{value}
		}
	}
	set("Request-Id", inv.ID)
	set("Function-Arn", inv.FunctionARN)
	set("Client-Context", inv.ClientContext)
	set("Cognito-Identity", inv.CognitoIdentity)
	set("Tenant-Id", inv.TenantID)
	if !inv.Deadline.IsZero() {
		set("Deadline-Ms", strconv.FormatInt(inv.Deadline.UnixMilli(), 10))
	}
}
