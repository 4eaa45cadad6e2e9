package chart

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// property is what the README reads of a value's schema.
type property struct {
	Ref         string `json:"$ref"`
	Type        string
	Description string
	Enum        []string
	Properties  json.RawMessage
}

// aroundIt are values for a chart that has this one as a part; none is read.
var aroundIt = map[string]bool{"global": true, "enabled": true}

// TestTheReadmeIsThatOfTheSchema compares the table of values in the chart's
// README with the schema and values.yaml. -update writes it.
func TestTheReadmeIsThatOfTheSchema(t *testing.T) {
	path := filepath.Join(chartDir, "README.md")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- values: go test ./chart -update -->\n", "<!-- end of values -->"
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, okEnd := strings.Cut(rest, end)
	if !ok || !okEnd {
		t.Fatalf("%s has no place for the values", path)
	}
	table := "| value | default | meaning |\n|---|---|---|\n" + strings.Join(rows(t), "")
	golden(t, path, before+begin+table+end+after)
}

// rows has a line for each value, in the order of the schema.
func rows(t *testing.T) []string {
	var schema property
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	values := yamlFile(t, valuesFile)
	var out []string
	var describe func(prefix string, properties json.RawMessage, values map[string]any)
	describe = func(prefix string, properties json.RawMessage, values map[string]any) {
		for _, key := range orderedKeys(t, properties) {
			name := prefix + key.name
			value, there := values[key.name]
			if !there && !aroundIt[name] {
				t.Errorf("%s: %s is in the schema and not there", valuesFile, name)
			}
			if inner, ok := value.(map[string]any); ok && key.Description == "" {
				describe(name+".", key.Properties, inner)
				continue
			}
			if key.Description == "" {
				t.Errorf("%s: %s has no description", schemaFile, name)
			}
			out = append(out, fmt.Sprintf("| `%s` | %s | %s%s |\n", name, shown(t, value), key.Description, oneOf(key.Enum)))
		}
		for key := range values {
			if !slices.ContainsFunc(orderedKeys(t, properties), func(k named) bool { return k.name == key }) {
				t.Errorf("%s: the schema does not know %s%s", valuesFile, prefix, key)
			}
		}
	}
	describe("", schema.Properties, values)
	return out
}

type named struct {
	name string
	property
}

// orderedKeys reads properties in the order in which they are written.
func orderedKeys(t *testing.T, properties json.RawMessage) []named {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(properties)))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	var out []named
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		one := named{name: key.(string)}
		if err := d.Decode(&one.property); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		out = append(out, one)
	}
	return out
}

// shown writes a default in one line.
func shown(t *testing.T, value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	switch text := string(data); text {
	case "null", `""`, "{}", "[]":
		return "–"
	default:
		return "`" + text + "`"
	}
}

func oneOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "; one of " + strings.Join(words, ", ")
}

func yamlFile(t *testing.T, path string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := yaml.Unmarshal(data, &out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}
