package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// chartFile is a file of the Helm chart.
func chartFile(t *testing.T, path string) string {
	t.Helper()
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "chart", "faas-lambda", path)
}

// TestAlerts has promtool check the alerts and run their own tests: each fires
// when it should, and not before.
func TestAlerts(t *testing.T) {
	promtool := prometheusTool(t, "promtool")
	for _, args := range [][]string{{"check", "rules", chartFile(t, "rules/faas-lambda.yaml")}, {"test", "rules", "testdata/alerts.yaml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	rules, err := os.ReadFile(chartFile(t, "rules/faas-lambda.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("testdata/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if n := len(regexp.MustCompile(`alertname: `+alert[1]+`\b`).FindAllString(string(tests), -1)); n < 2 {
			t.Errorf("%s is tested %d times: want one that fires and one that does not", alert[1], n)
		}
	}
}

// monitored is a federation of a part on Lambda, one in memory, and one of another
// provider, with a Prometheus that scrapes it.
type monitored struct {
	*fixture.Up
	log   *lockedBuffer
	other *fixture.Up
	prom
}

func monitor(t *testing.T) *monitored {
	t.Helper()
	m := &monitored{log: &lockedBuffer{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.log)
		}
	})
	program, ctx := filepath.Join(programs, "faas-lambda"), context.WithoutCancel(t.Context())
	cloud, err := fixture.StartUp(ctx, program, t.TempDir(), m.log)
	if err != nil {
		t.Fatalf("%v\n%s", err, m.log)
	}
	t.Cleanup(func() { _ = cloud.Stop() })
	if m.other, err = fixture.StartServe(ctx, program, 0, m.log, "--backend", "memory"); err != nil {
		t.Fatalf("%v\n%s", err, m.log)
	}
	t.Cleanup(func() { _ = m.other.Stop() })
	config := filepath.Join(t.TempDir(), "federation.yaml")
	text := fmt.Sprintf(`
federation:
  default: lambda
  checkInterval: 200ms
  refresh: 1s
  budgetPoll: 1s
  children:
  - {name: lambda, aws: {endpoint: %q, region: us-east-1, accessKeyId: faas-lambda, secretAccessKey: faas-lambda, executionRole: "arn:aws:iam::000000000000:role/faas-lambda", arch: %s}}
  - {name: here, memory: {}}
  - {name: other, remote: {url: %q}}
`, cloud.AWS, arch, m.other.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if m.Up, err = fixture.StartServe(ctx, program, 0, m.log, "--backend", "federation", "--config", config); err != nil {
		t.Fatalf("%v\n%s", err, m.log)
	}
	t.Cleanup(func() { _ = m.Stop() })
	m.prom = startPrometheus(t, m.URL, chartFile(t, "rules/faas-lambda.yaml"))
	return m
}

// use makes a bit of everything happen that there is a metric of.
func (m *monitored) use(t *testing.T) {
	t.Helper()
	image := push(t, "functions/web:1", middleware(t, "web"))
	narrow := annotated("narrow")
	narrow.Labels = &map[string]string{"com.openfaas.scale.max": "1"}
	for _, d := range []types.FunctionDeployment{
		annotated("web"), narrow, annotated("moves", gatewayAnnotation, "here"), annotated("moves"),
		annotated("thrifty", gatewayAnnotation, "here", overflowAnnotation, "lambda", "com.openfaas.federation.budget", "requests=5"),
	} {
		d.Image = image
		if answer, err := m.Deploy(t.Context(), d); err != nil || answer.Status != http.StatusAccepted {
			t.Fatalf("deploy %s: %d %s, %v", d.Service, answer.Status, answer.Body, err)
		}
	}
	for path, want := range map[string]int{"/function/web/echo": 200, "/function/web/status/500": 500, "/function/thrifty": 200, "/system/functions": 200, "/system/function/none": 404, "/readyz": 200} {
		if answer, err := m.Do(t.Context(), http.MethodGet, path, nil); err != nil || answer.Status != want {
			t.Errorf("%s: %d %s, %v", path, answer.Status, answer.Body, err)
		}
	}
	var both sync.WaitGroup
	for range 4 { // of a function that has room for one
		both.Go(func() {
			if answer, err := m.Do(t.Context(), http.MethodGet, "/function/narrow/sleep/1s", nil); err != nil || answer.Status != 200 && answer.Status != 429 {
				t.Errorf("narrow: %d %s, %v", answer.Status, answer.Body, err)
			}
		})
	}
	both.Wait()
	if err := m.other.Kill(); err != nil { // a list then lacks what it had
		t.Error(err)
	}
	eventually(t, "a list that lacks a part", func() bool {
		answer, err := m.Do(t.Context(), http.MethodGet, "/system/functions", nil)
		return err == nil && strings.Contains(fmt.Sprint(answer.Header), "other")
	})
}

// dashboardExpressions returns the expressions of the dashboard's panels by
// their title, with variables as Grafana fills them in.
func dashboardExpressions(t *testing.T) map[string]string {
	t.Helper()
	type panel struct {
		Title, Type string
		Targets     []struct{ Expr string }
	}
	var dashboard struct {
		Panels     []panel
		Templating struct{ List []struct{ Name string } }
	}
	text, err := os.ReadFile(chartFile(t, "dashboards/faas-lambda.json"))
	if err == nil {
		err = json.Unmarshal(text, &dashboard)
	}
	if err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("$__rate_interval", "1m", "$namespace", ".*", "$function", ".*")
	out := map[string]string{}
	for _, p := range dashboard.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for i, target := range p.Targets {
			out[fmt.Sprintf("%s (%d): %s", p.Title, i, target.Expr)] = filled.Replace(target.Expr)
		}
	}
	return out
}

// TestDashboardAndAlertsOfRealMetrics evaluates every expression of the chart's
// dashboard and alerts over what a real provider serves, in a real Prometheus.
func TestDashboardAndAlertsOfRealMetrics(t *testing.T) {
	m := monitor(t)
	m.use(t)
	expressions := dashboardExpressions(t)
	if len(expressions) < 20 {
		t.Errorf("the dashboard has %d expressions", len(expressions))
	}
	for panel, expression := range expressions {
		eventually(t, "a series of panel "+panel, func() bool {
			series, err := m.series(t.Context(), expression)
			if err != nil {
				t.Fatalf("panel %s: %v", panel, err)
			}
			return len(series) > 0
		})
	}
	m.checkRules(t)
}

// selector is a metric with the labels that it is chosen by.
var selector = regexp.MustCompile(`\b((?:faas_lambda|provider)_\w+)(?:\{([^}]*)\})?`)

// checkRules looks whether Prometheus can evaluate each alert, whether what it
// is about is there, and that none fires that should not.
func (m *monitored) checkRules(t *testing.T) {
	t.Helper()
	type group struct {
		Rules []struct{ Name, Query, Health, LastError, State string }
	}
	var groups []group
	states := map[string]string{}
	eventually(t, "every alert is evaluated, and of four the one of the part that is down waits to fire", func() bool {
		var rules struct{ Groups []group }
		if err := m.get(t.Context(), "/api/v1/rules", nil, &rules); err != nil {
			t.Fatal(err)
		}
		groups = rules.Groups
		for _, g := range groups {
			for _, r := range g.Rules {
				if states[r.Name] = r.State; r.Health == "unknown" {
					return false
				}
			}
		}
		for _, name := range []string{"FaasLambdaAbsent", "FaasLambdaAccessDenied", "FaasLambdaNotReady"} {
			if states[name] != "inactive" { // a scrape that comes to nothing on a busy machine makes them wait for a moment
				return false
			}
		}
		return states["FaasLambdaPartDown"] == "pending" // the first evaluation may be older than what it is of
	})
	for _, g := range groups {
		for _, r := range g.Rules {
			if r.Health != "ok" {
				t.Errorf("alert %s cannot be evaluated: %s", r.Name, r.LastError)
			}
			for _, s := range selector.FindAllStringSubmatch(r.Query, -1) {
				query := "count(" + s[1]
				var labels []string
				for _, matcher := range regexp.MustCompile(`(\w+)\s*[=!]`).FindAllStringSubmatch(s[2], -1) {
					if matcher[1] != "error" { // it is empty where there is none
						labels = append(labels, matcher[1]+`=~".+"`)
					}
				}
				query += "{" + strings.Join(labels, ",") + "})"
				if found, err := m.series(t.Context(), query); err != nil || len(found) == 0 {
					t.Errorf("alert %s: there is no %s, %v", r.Name, query, err)
				}
			}
		}
	}
}
