package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestEveryAlertHasARunbook: docs/cluster.md says of each alert what to do, and
// of none that there is not.
func TestEveryAlertHasARunbook(t *testing.T) {
	alerts := found(read(t, chartDir, "rules", "faas-lambda.yaml"), `alert: (\w+)`)
	described := found(read(t, "..", "docs", "cluster.md"), "(?m)^\\| `(FaasLambda\\w+)` \\|")
	if len(alerts) < 5 || !slices.Equal(alerts, described) {
		t.Errorf("alerts\n%v\ndescribed\n%v", alerts, described)
	}
}

// TestMetricsAreThoseOfTheDocuments: alerts and dashboard ask for metrics that
// docs/operations.md and docs/federation.md list, or that Go's client serves.
func TestMetricsAreThoseOfTheDocuments(t *testing.T) {
	documents := read(t, "..", "docs", "operations.md") + read(t, "..", "docs", "federation.md")
	dashboard := read(t, chartDir, "dashboards", "faas-lambda.json")
	if !json.Valid([]byte(dashboard)) {
		t.Error("the dashboard is no JSON")
	}
	names := found(dashboard+read(t, chartDir, "rules", "faas-lambda.yaml"), `\b((?:faas_lambda|provider_http|process|go)_[a-z_]+)`)
	if len(names) < 15 {
		t.Errorf("%d metrics: the test looks at the wrong text", len(names))
	}
	for _, name := range names {
		base := strings.TrimSuffix(name, "_bucket")
		if !strings.Contains(documents, "`"+base+"`") && !slices.Contains([]string{"process_resident_memory_bytes", "process_cpu_seconds_total", "go_goroutines"}, name) {
			t.Errorf("no document lists %s", name)
		}
	}
}

// TestEveryVariableHasAValue: the chart's README leads from each variable that
// is no setting to the value that sets it, and these values are there.
func TestEveryVariableHasAValue(t *testing.T) {
	table := strings.Join(rows(t), "")
	for variable, value := range managed {
		if !strings.Contains(table, "| `"+value+"` |") {
			t.Errorf("%s is said to be set by %s, which is no value", variable, value)
		}
	}
}

// found are the first groups of all matches, each once, in their order.
func found(text, expression string) []string {
	var out []string
	for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}
