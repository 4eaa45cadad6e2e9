package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// prometheusTool returns the path of Debian's prometheus or promtool.
func prometheusTool(t *testing.T, name string) string {
	t.Helper()
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(root, "integration", "tools.sh"), "prometheus").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(root, "bin", "tools", name)
}

// prom is a running Prometheus.
type prom struct{ url string }

// startPrometheus starts a Prometheus that scrapes a provider every second, as
// the chart's ServiceMonitor says, and reads the chart's rules.
func startPrometheus(t *testing.T, provider, rules string) prom {
	t.Helper()
	dir, port := t.TempDir(), freePorts(t, 1)[0]
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
- job_name: faas-lambda
  honor_labels: true
  static_configs: [{targets: [%q]}]
`, rules, strings.TrimPrefix(provider, "http://"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, prometheusTool(t, "prometheus"), "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:"+port)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log)
		}
	})
	p := prom{"http://127.0.0.1:" + port}
	eventually(t, "Prometheus is ready", func() bool { return p.ready(t.Context()) }) // until then it is not there, or answers 503
	return p
}

// ready reports whether Prometheus answers queries.
func (p prom) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/-/ready", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(req)
	return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}

// get asks Prometheus' API and decodes what it answers as data.
func (p prom) get(ctx context.Context, path string, query url.Values, data any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	out := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.Unmarshal(body, &out); err != nil {
		return fmt.Errorf("%s: %w", body, err)
	}
	if out.Status != "success" {
		return fmt.Errorf("%s: %s", query.Get("query"), out.Error)
	}
	return nil
}

// series evaluates an expression and returns the labels of what comes of it.
func (p prom) series(ctx context.Context, expression string) ([]map[string]string, error) {
	var data struct {
		Result []struct{ Metric map[string]string }
	}
	if err := p.get(ctx, "/api/v1/query", url.Values{"query": {expression}}, &data); err != nil {
		return nil, err
	}
	var out []map[string]string
	for _, r := range data.Result {
		out = append(out, r.Metric)
	}
	return out, nil
}
