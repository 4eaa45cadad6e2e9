package integration

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// TestFederationOfAccounts has two AWS accounts and functions in memory as
// children of one process: nothing but a file says so.
func TestFederationOfAccounts(t *testing.T) {
	log := &lockedBuffer{}
	program := filepath.Join(programs, "faas-lambda")
	other, err := fixture.StartUp(context.WithoutCancel(t.Context()), program, t.TempDir(), log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	dir := t.TempDir()
	secret, config := filepath.Join(dir, "secret"), filepath.Join(dir, "federation.yaml")
	if err := os.WriteFile(secret, []byte("faas-lambda\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	account := func(name, endpoint, more string) string {
		return fmt.Sprintf("    - name: %s\n      aws: {endpoint: %q, region: us-east-1, accessKeyId: faas-lambda, secretAccessKeyFile: %q, "+
			"executionRole: \"arn:aws:iam::000000000000:role/faas-lambda\", arch: %s, timeout: 10%s}\n", name, endpoint, secret, arch, more)
	}
	content := "federation:\n  default: blue\n  children:\n" + account("blue", shared.up.AWS, "") + account("green", other.AWS, ", memory: 512") +
		"    - name: here\n      memory: {}\n  rules:\n    - {function: \"*-green\", to: green}\n"
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	federation, err := fixture.StartServe(context.WithoutCancel(t.Context()), program, 0, log, "--config", config)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(func() {
		for _, up := range []*fixture.Up{federation, other} {
			if err := up.Stop(); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Log(log)
		}
	})
	f := &fleet{federation: federation, image: push(t, "functions/cat:1", classic(t)), log: log}
	f.deploy(t, annotated("accounts-home"))
	f.deploy(t, annotated("accounts-green"))
	f.deploy(t, annotated("accounts-moves", gatewayAnnotation, "here"))
	f.deploy(t, annotated("accounts-moves", gatewayAnnotation, "green"))
	f.deploy(t, annotated("accounts-busy", overflowAnnotation, "here", "com.openfaas.lambda/reserved-concurrency", "0"))
	for function, part := range map[string]string{"accounts-home": "blue", "accounts-green": "green", "accounts-moves": "green", "accounts-busy": "here"} {
		answer := f.ask(t, "POST", "/function/"+function, "hello")
		if answer.Status != http.StatusOK || string(answer.Body) != "hello" || answer.Header.Get(backend.ServedByHeader) != part {
			t.Errorf("%s: %d %q by %s, want %s", function, answer.Status, answer.Body, answer.Header.Get(backend.ServedByHeader), part)
		}
	}
	// Metrics of two accounts do not get into each other's way.
	if metrics := string(f.ask(t, "GET", "/metrics", "").Body); !strings.Contains(metrics, `part="blue"`) || !strings.Contains(metrics, `part="green"`) {
		t.Error("no metrics of both accounts")
	}
	for _, function := range []string{"accounts-home", "accounts-green", "accounts-moves", "accounts-busy"} {
		if answer, err := federation.Remove(t.Context(), function); err != nil || answer.Status >= 300 {
			t.Errorf("remove %s: %d %s, %v", function, answer.Status, answer.Body, err)
		}
	}
	if answer := do(t, "GET", "/system/functions", nil); strings.Contains(string(answer.Body), "accounts-") {
		t.Errorf("left behind in the shared account: %s", answer.Body)
	}
}
