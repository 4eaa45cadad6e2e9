package chart

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestLint(t *testing.T) {
	for _, program := range helms(t) {
		for _, values := range examples(t) {
			if out, err := helm(t, program, "lint", "--strict", "--kube-version", kubernetesVersion(t), "--values", values, chartDir); err != nil {
				t.Errorf("%s, %s: %v\n%s", program, values, err, out)
			}
		}
	}
}

// matrix are values that differ in what they switch on, every one with every
// other.
func matrix() [][]string {
	all := [][]string{nil}
	for _, choices := range [][]string{
		{"cache.type=emptyDir", "cache.type=persistentVolumeClaim", "cache.type=none"},
		{"basicAuth.enabled=true", "basicAuth.enabled=false"},
		{"autoscaling.enabled=false", "autoscaling.enabled=true"},
		{"networkPolicy.restrictEgress=false", "networkPolicy.restrictEgress=true"},
		{"serviceAccount.create=true", "serviceAccount.create=false"},
	} {
		var next [][]string
		for _, before := range all {
			for _, choice := range choices {
				next = append(next, append(append([]string{}, before...), choice))
			}
		}
		all = next
	}
	return all
}

// TestEverythingRenderedIsKubernetes checks what the chart renders, for examples
// and a matrix of values, against Kubernetes' own schemas, strictly.
func TestEverythingRenderedIsKubernetes(t *testing.T) {
	dir := t.TempDir()
	rendered := 0
	write := func(program string, args ...string) {
		text, err := template(t, program, args...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		rendered++
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.yaml", rendered)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range helms(t) {
		for _, values := range examples(t) {
			write(program, "--values", values)
		}
	}
	for _, values := range matrix() {
		write(tool(t, "helm"), append(required, "--set", strings.Join(values, ","))...)
	}
	cmd := exec.CommandContext(t.Context(), tool(t, "kubeconform"), "-strict", "-summary", "-schema-location", filepath.Join(schemas(t), schemaNames), dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Invalid: 0, Errors: 0, Skipped: 0") {
		t.Errorf("%d renderings: %v\n%s", rendered, err, out)
	}
}

// TestTheSchemasAreStrict: what checks the renderings finds a key that is not
// known, and a value of another type.
func TestTheSchemasAreStrict(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n"
	dir := schemas(t)
	for text, fine := range map[string]bool{
		service: true,
		strings.Replace(service, "port: 80", "port: 80, prot: 1", 1): false,
		strings.Replace(service, "port: 80", `port: "80"`, 1):        false,
		strings.Replace(service, "spec:", "spac:", 1):                false,
	} {
		cmd := exec.CommandContext(t.Context(), tool(t, "kubeconform"), "-strict", "-schema-location", filepath.Join(dir, schemaNames), "-")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); (err == nil) != fine {
			t.Errorf("%v, %s for\n%s", err, out, text)
		}
	}
}

// TestThePlainYAMLIsThatOfTheChart compares the folder yaml with the chart.
// -update writes it.
func TestThePlainYAMLIsThatOfTheChart(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("yaml", "*-values.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no values of plain YAML: %v", err)
	}
	for _, values := range files {
		text, err := template(t, tool(t, "helm"), "--values", values)
		if err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, "app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: kubectl")
		golden(t, strings.TrimSuffix(values, "-values.yaml")+".yaml", "# Made from "+filepath.Base(values)+": go test ./chart -update\n"+text)
	}
}
