package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"
)

// TestLogsAndCountsOfAFunction reads, through the provider, what the embedded
// CloudWatch holds of a function.
func TestLogsAndCountsOfAFunction(t *testing.T) {
	ref := push(t, "functions/web:1", middleware(t, "web"))
	function := fresh("watched-web")
	deploy(t, types.FunctionDeployment{Service: function, Image: ref})
	for range 3 {
		if got := do(t, "GET", "/function/"+function+"/status/201", nil); got.Status != 201 {
			t.Fatalf("answered %d: %s", got.Status, got.Body)
		}
	}
	answer := do(t, "GET", "/system/logs?name="+function+"&tail=100", nil)
	var texts []string
	lines := bufio.NewScanner(bytes.NewReader(answer.Body))
	for lines.Scan() {
		var m struct{ Name, Namespace, Instance, Text string }
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		if m.Name != function || m.Namespace != "openfaas-fn" || m.Instance == "" {
			t.Errorf("line of %+v", m)
		}
		texts = append(texts, m.Text)
	}
	all := strings.Join(texts, "\n")
	if !strings.Contains(all, "web listens on") || strings.Contains(all, "REPORT RequestId") {
		t.Errorf("logs: %d\n%s", answer.Status, all)
	}
	out, err := awsCommand(t, "logs", "filter-log-events", "--log-group-name", "/aws/lambda/"+function, "--filter-pattern", "REPORT")
	if err != nil || strings.Count(out, "REPORT RequestId") != 3 {
		t.Errorf("%v: %s", err, out)
	}
	out, err = awsCommand(t, "cloudwatch", "list-metrics", "--namespace", "AWS/Lambda", "--dimensions", "Name=FunctionName,Value="+function, "--metric-name", "Invocations")
	if err != nil || !strings.Contains(out, `"`+function+`:live"`) {
		t.Errorf("%v: %s", err, out)
	}
}
