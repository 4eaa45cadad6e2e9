package loop

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/bootstrap/event"
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
func setContext(e *event.Event, inv *runtimeapi.Invocation) {
	h := e.Header
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
		if parent := traceparent(inv.TraceID); parent != "" && h.Get("Traceparent") == "" {
			h["Traceparent"] = []string{parent}
		}
	}
	set := func(name, value string) {
		if value != "" {
			h[contextPrefix+name] = []string{value}
		}
	}
	set("Event-Source", e.Source)
	set("Event-Source-Arn", e.SourceARN)
	set("Event-Type", e.Type)
	set("Request-Id", inv.ID)
	set("Function-Arn", inv.FunctionARN)
	set("Client-Context", inv.ClientContext)
	set("Cognito-Identity", inv.CognitoIdentity)
	set("Tenant-Id", inv.TenantID)
	if !inv.Deadline.IsZero() {
		set("Deadline-Ms", strconv.FormatInt(inv.Deadline.UnixMilli(), 10))
	}
}

// traceparent is an X-Ray trace id in the form of W3C's Trace Context, or empty
// when it has no parts that say as much:
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func traceparent(xray string) string {
	var root, parent string
	sampled := "00"
	for part := range strings.SplitSeq(xray, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Root":
			root = value
		case "Parent":
			parent = value
		case "Sampled":
			if value == "1" {
				sampled = "01"
			}
		}
	}
	pieces := strings.Split(root, "-") // 1-<8 hex digits: when>-<24 hex digits>
	if len(pieces) != 3 || len(pieces[1]) != 8 || len(pieces[2]) != 24 || len(parent) != 16 ||
		strings.Trim(pieces[1]+pieces[2]+parent, "0123456789abcdef") != "" {
		return ""
	}
	return "00-" + pieces[1] + pieces[2] + "-" + parent + "-" + sampled
}

// traceVariables is the trace id for a forked process, under the name that AWS's
// SDKs and the X-Ray SDKs read it by.
func traceVariables(r *http.Request) []string {
	if id := r.Header.Get(traceHeader); id != "" {
		return []string{"_X_AMZN_TRACE_ID=" + id}
	}
	return nil
}
