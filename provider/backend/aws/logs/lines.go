package logs

import (
	"encoding/json"
	"regexp"
	"strings"
)

// platformText are the lines that Lambda writes between a function's own, in its
// text format (docs.aws.amazon.com/lambda, "Working with Lambda function logs",
// and as recorded). What says why an invocation failed ("Task timed out …") is
// not among them.
var platformText = regexp.MustCompile(`^(?:` +
	`(?:START|END|REPORT) RequestId: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?:\s|$)` +
	`|INIT_START Runtime Version: ` +
	`|INIT_REPORT Init Duration: ` +
	`|RESTORE_START Runtime Version: ` +
	`|RESTORE_REPORT Restore Duration: ` +
	`|XRAY TraceId: ` +
	`|(?:EXTENSION|LOGS|TELEMETRY)\tName: ` +
	`)`)

// platformLine tells whether Lambda itself wrote a line, in either of its log
// formats. Of JSON its type says so: platform.start, platform.report and so on.
func platformLine(line string) bool {
	if line == "" {
		return false
	}
	if line[0] != '{' {
		return platformText.MatchString(line)
	}
	if !strings.Contains(line, `"platform.`) {
		return false
	}
	var event struct {
		Type   string          `json:"type"`
		Record json.RawMessage `json:"record"`
	}
	return json.Unmarshal([]byte(line), &event) == nil && strings.HasPrefix(event.Type, "platform.") && len(event.Record) > 0
}

// streamName is a log stream as Lambda names it: 2026/11/24/[3]0123…, and where
// functions share a group, 2026/11/24/NAME[3]0123…
// (docs.aws.amazon.com/lambda, "Configuring CloudWatch log groups").
var streamName = regexp.MustCompile(`^\d{4}/\d{2}/\d{2}/([^\[\]]*)\[[^\]]*\](.+)$`)

// instanceOf is what a stream is called towards clients: the sandbox's own part of
// its name.
func instanceOf(stream string) (function, instance string) {
	m := streamName.FindStringSubmatch(stream)
	if m == nil {
		return "", stream
	}
	return m[1], m[2]
}
