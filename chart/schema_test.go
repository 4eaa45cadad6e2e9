package chart

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/config"
)

var (
	schemaFile = filepath.Join(chartDir, "values.schema.json")
	valuesFile = filepath.Join(chartDir, "values.yaml")
)

// managed are the variables that have values of their own, by those.
var managed = map[string]string{
	"port":                  "port",
	"shutdown_delay":        "shutdown.drainSeconds",
	"shutdown_timeout":      "shutdown.timeoutSeconds",
	"basic_auth":            "basicAuth.enabled",
	"secret_mount_path":     "basicAuth.secretName",
	"image_pull_secrets":    "registrySecrets",
	"cache_dir":             "cache.type",
	"lambda_execution_role": "aws.executionRole",
}

// words are what variables may be set to that take one of a few.
var words = map[string][]string{
	"log_level":     {"debug", "info", "warn", "error"},
	"log_format":    {"text", "json"},
	"function_arch": {"amd64", "arm64"},
	"secret_store":  {"secretsmanager", "ssm"},
}

// inTheClear are keys of the file that would put a secret into a ConfigMap. The
// keys that end in File say the same of a mounted Secret.
var inTheClear = []string{"password", "token", "secretAccessKey"}

const definitionsBegin = "  \"definitions\": {\n"

// TestTheSchemaKnowsEverySetting compares the definitions at the end of the
// schema with the variables and the file of provider/config. -update writes them.
func TestTheSchemaKnowsEverySetting(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	written, _, ok := strings.Cut(string(data), "  \"definitions\": {")
	if !ok {
		t.Fatalf("%s has no definitions", schemaFile)
	}
	d := definitions{}
	d.add("name", object{"type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"})
	d.add("optionalName", object{"type": "string", "maxLength": 253, "pattern": "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"})
	d.add("labels", object{"type": "object", "additionalProperties": object{"type": "string"}})
	d.add("quantity", object{"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"})
	d.add("duration", duration)
	d.add("settings", settings(t))
	d.file(t, "config", reflect.TypeOf(config.File{}))
	golden(t, schemaFile, written+definitionsBegin+strings.Join(d.lines, ",\n")+"\n  }\n}\n")
}

type object map[string]any

// duration is what provider/config takes as one.
var duration = object{"anyOf": []object{
	{"type": "integer", "minimum": 0},
	{"type": "string", "pattern": "^([0-9]+|([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$"},
}}

// definitions are the lines of the schema that are made from the code.
type definitions struct {
	lines []string
	seen  []string
}

// add writes a definition. Keys come sorted, which is well for comparing.
func (d *definitions) add(name string, definition object) {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("    ", "  ")
	if err := e.Encode(definition); err != nil {
		panic(err) // it is made of literals
	}
	d.lines = append(d.lines, fmt.Sprintf("    %q: %s", name, strings.TrimSpace(text.String())))
}

// settings describes the variables that have no value of their own.
func settings(t *testing.T) object {
	properties := object{}
	for _, s := range config.Settings() {
		if _, ok := managed[s.Name]; ok {
			continue
		}
		one := kindOf(s)
		one["description"] = s.Meaning
		properties[s.Name] = one
	}
	if len(properties) < 10 {
		t.Fatalf("provider/config tells of %d variables", len(properties))
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}

// kindOf reads from a setting's range and default what it takes.
func kindOf(s config.Setting) object {
	if allowed, ok := words[s.Name]; ok {
		return object{"enum": allowed}
	}
	low, high, _ := strings.Cut(s.Range, " to ")
	if from, err := strconv.Atoi(low); err == nil {
		to, err := strconv.Atoi(high)
		if err == nil {
			return object{"type": "integer", "minimum": from, "maximum": to}
		}
	}
	if _, err := time.ParseDuration(low); err == nil {
		return duration.with("from " + low + " to " + high)
	}
	if s.Default == "true" || s.Default == "false" {
		return object{"type": "boolean"}
	}
	return object{"type": "string"}
}

func (o object) with(comment string) object {
	out := object{"$comment": comment}
	for key, value := range o {
		out[key] = value
	}
	return out
}

// file describes a struct of the file and those in it, each once.
func (d *definitions) file(t *testing.T, name string, of reflect.Type) {
	if slices.Contains(d.seen, name) {
		return
	}
	d.seen = append(d.seen, name)
	properties := object{}
	type section struct {
		name string
		of   reflect.Type
	}
	var below []section
	for i := range of.NumField() {
		field := of.Field(i)
		key := field.Tag.Get("yaml")
		if name == "config" && key == "backend" || slices.Contains(inTheClear, key) {
			continue
		}
		one, inner := fieldKind(t, field.Type)
		if inner != nil {
			ref := "config." + key
			one = replaceRef(one, "#/definitions/"+ref)
			below = append(below, section{ref, inner})
		}
		one["description"] = field.Tag.Get("doc")
		properties[key] = one
	}
	definition := object{"type": "object", "additionalProperties": false, "properties": properties}
	if name == "config" {
		definition["maxProperties"] = 1
	}
	d.add(name, definition)
	for _, s := range below {
		d.file(t, s.name, s.of)
	}
}

// fieldKind is the schema of a field; the second result is the struct in it.
func fieldKind(t *testing.T, of reflect.Type) (object, reflect.Type) {
	switch {
	case of.Kind() == reflect.Pointer:
		return fieldKind(t, of.Elem())
	case of == reflect.TypeOf(config.Duration(0)):
		return object{"$ref": "#/definitions/duration"}, nil
	case of.Kind() == reflect.Slice:
		item, inner := fieldKind(t, of.Elem())
		return object{"type": "array", "items": item}, inner
	case of.Kind() == reflect.Struct:
		return object{"$ref": ""}, of
	case of.Kind() == reflect.Int:
		return object{"type": "integer", "minimum": 0}, nil
	case of.Kind() == reflect.Bool:
		return object{"type": "boolean"}, nil
	case of.Kind() == reflect.String:
		return object{"type": "string"}, nil
	}
	t.Fatalf("no schema for %s", of)
	return nil, nil
}

// replaceRef names the definition of a section, or of a list's sections.
func replaceRef(o object, ref string) object {
	if items, ok := o["items"].(object); ok {
		items["$ref"] = ref
		return o
	}
	o["$ref"] = ref
	return o
}
