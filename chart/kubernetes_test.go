package chart

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// operator is the version of Prometheus' operator whose definitions are used.
const operator = "v0.85.0"

// module downloads a module, which go.mod need not name, and returns its folder.
func module(t *testing.T, path, version string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", path+"@"+version)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("download %s %s: %v %s", path, version, err, out)
	}
	var answer struct{ Dir string }
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Dir
}

// schemas writes the JSON schemas of Kubernetes and of the operator to a folder,
// as kubeconform looks for them: strict, so that a key that is not known is an
// error.
func schemas(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile(filepath.Join(module(t, "k8s.io/kubernetes", kubernetesVersion(t)), "api", "openapi-spec", "swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Definitions map[string]map[string]any
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		t.Fatal(err)
	}
	for _, definition := range spec.Definitions {
		strict(definition)
	}
	for name, definition := range spec.Definitions {
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 {
			continue
		}
		one := map[string]any{"$ref": "#/definitions/" + name, "definitions": below(spec.Definitions, name)}
		writeSchema(t, dir, at(kinds[0], "kind").(string), at(kinds[0], "group").(string), at(kinds[0], "version").(string), one)
	}
	custom(t, dir)
	return dir
}

// custom adds the kinds of Prometheus' operator.
func custom(t *testing.T, dir string) {
	t.Helper()
	crds := filepath.Join(module(t, "github.com/prometheus-operator/prometheus-operator", operator), "example", "prometheus-operator-crd")
	for _, name := range []string{"servicemonitors", "prometheusrules"} {
		data, err := os.ReadFile(filepath.Join(crds, "monitoring.coreos.com_"+name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		definition := map[string]any{}
		if err := yaml.Unmarshal(data, &definition); err != nil {
			t.Fatal(err)
		}
		version := at(definition, "spec", "versions", 0)
		schema := at(version, "schema", "openAPIV3Schema").(map[string]any)
		strict(schema)
		schema["properties"].(map[string]any)["metadata"] = map[string]any{"type": "object"}
		writeSchema(t, dir, at(definition, "spec", "names", "kind").(string), at(definition, "spec", "group").(string), at(version, "name").(string), schema)
	}
}

// strict makes OpenAPI's schema one of JSON that takes no key it does not know.
func strict(schema map[string]any) {
	format := schema["format"]
	if format == "int-or-string" || schema["x-kubernetes-int-or-string"] == true {
		delete(schema, "type")
		schema["type"] = []any{"integer", "string"}
	}
	delete(schema, "format") // OpenAPI's formats are none of JSON Schema's
	if properties, ok := schema["properties"].(map[string]any); ok {
		if schema["additionalProperties"] == nil && schema["x-kubernetes-preserve-unknown-fields"] != true {
			schema["additionalProperties"] = false
		}
		for _, one := range properties {
			strict(one.(map[string]any))
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if inner, ok := schema[key].(map[string]any); ok {
			strict(inner)
		}
	}
}

// below are the definitions that one of them needs, and itself.
func below(all map[string]map[string]any, name string) map[string]any {
	out := map[string]any{}
	var collect func(node any)
	collect = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			if ref, ok := node["$ref"].(string); ok {
				if to := strings.TrimPrefix(ref, "#/definitions/"); out[to] == nil {
					out[to] = all[to]
					collect(all[to])
				}
			}
			for _, inner := range node {
				collect(inner)
			}
		case []any:
			for _, inner := range node {
				collect(inner)
			}
		}
	}
	out[name] = all[name]
	collect(all[name])
	return out
}

// schemaNames is how kubeconform finds what writeSchema writes.
const schemaNames = "{{.ResourceKind}}{{.KindSuffix}}.json"

func writeSchema(t *testing.T, dir, kind, group, version string, schema map[string]any) {
	t.Helper()
	suffix := "-" + version
	if group != "" {
		first, _, _ := strings.Cut(group, ".")
		suffix = "-" + first + suffix
	}
	data, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, strings.ToLower(kind)+suffix+".json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
}
