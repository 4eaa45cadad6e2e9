package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
)

// kubernetes is the version that is rendered for, and whose schemas are used: the
// one that the chart is installed on in integration/cluster.
var kubernetes = sync.OnceValues(func() (string, error) {
	const file = "../integration/cluster/go.mod"
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`\tk8s\.io/kubernetes (v[0-9.]+)`).FindSubmatch(data)
	if found == nil {
		return "", fmt.Errorf("%s does not require k8s.io/kubernetes", file)
	}
	return string(found[1]), nil
})

func kubernetesVersion(t *testing.T) string {
	t.Helper()
	version, err := kubernetes()
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// tool is the path of a program that the Makefile builds.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "bin", "tools", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make bin/tools/%s", err, name)
	}
	return path
}

// helms are the Helms to test with: 3, and those of HELMS besides.
func helms(t *testing.T) []string {
	t.Helper()
	out := []string{tool(t, "helm")}
	for _, name := range strings.Fields(os.Getenv("HELMS")) {
		out = append(out, tool(t, name))
	}
	return out
}

// helm runs a command of Helm over the chart, and returns what it prints.
func helm(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return stdout.String(), err
}

func template(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	return templateOf(t, program, "faas-lambda", args...)
}

// templateOf renders a release of another name.
func templateOf(t *testing.T, program, release string, args ...string) (string, error) {
	t.Helper()
	return helm(t, program, append([]string{"template", release, chartDir, "--namespace", "openfaas", "--kube-version", kubernetesVersion(t)}, args...)...)
}

// required are the values that the backend aws cannot do without.
var required = []string{"--set", "aws.region=eu-central-1,aws.executionRole=arn:aws:iam::123456789012:role/functions"}

// render renders the chart with values that it must take.
func render(t *testing.T, args ...string) objects {
	t.Helper()
	text, err := template(t, tool(t, "helm"), args...)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

// objects are rendered ones by kind and name, as Kind/name.
type objects map[string]map[string]any

func parse(t *testing.T, text string) objects {
	t.Helper()
	out := objects{}
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		object := map[string]any{}
		err := d.Decode(&object)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if len(object) > 0 {
			out[fmt.Sprintf("%v/%v", object["kind"], at(object, "metadata", "name"))] = object
		}
	}
}

// at goes down an object by keys and numbers; it is nil where there is nothing.
func at(from any, path ...any) any {
	for _, step := range path {
		switch key := step.(type) {
		case string:
			m, _ := from.(map[string]any)
			from = m[key]
		case int:
			l, _ := from.([]any)
			if key >= len(l) {
				return nil
			}
			from = l[key]
		}
	}
	return from
}

const deployment = "Deployment/faas-lambda"

// container is the provider's in a Deployment.
func (o objects) container(t *testing.T) map[string]any {
	t.Helper()
	c, ok := at(o[deployment], "spec", "template", "spec", "containers", 0).(map[string]any)
	if !ok {
		t.Fatalf("no container in %v", o[deployment])
	}
	return c
}

// environment are the variables that the provider would start with; one out of a
// Secret is SECRET/KEY.
func (o objects) environment(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, _ := o.container(t)["env"].([]any)
	for _, one := range list {
		name := fmt.Sprint(at(one, "name"))
		if _, twice := out[name]; twice {
			t.Errorf("%s is set twice", name)
		}
		value, ok := at(one, "value").(string)
		if from := at(one, "valueFrom", "secretKeyRef"); from != nil {
			value, ok = fmt.Sprintf("%v/%v", at(from, "name"), at(from, "key")), true
		}
		if !ok {
			t.Errorf("%s is %v, and no text", name, at(one, "value"))
		}
		out[name] = value
	}
	return out
}

// examples are the files of values that show, and test, what the chart is for.
func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chartDir, "ci", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples of values: %v", err)
	}
	return files
}
