package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// variable is a name with underscores: of an environment variable, a metric or
// the like. annotation is one of OpenFaaS or of ours.
var (
	variable   = regexp.MustCompile(`\b(?:[a-z][a-z0-9]*(?:_[a-z0-9]+)+|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b`)
	annotation = regexp.MustCompile(`com\.openfaas\.[a-z]+[./][a-z0-9.-]*[a-z0-9]`)
)

// TestNamesOfTheDocuments: every variable, metric and annotation in a document is
// in a program, a template or the chart.
func TestNamesOfTheDocuments(t *testing.T) {
	known, own := namesOfTheSources(t), ""
	all := documents(t)
	for _, d := range all {
		if d.path == "docs/annotations.md" { // which a test of its own makes from the code
			own = d.text
		}
	}
	for _, d := range all {
		for _, line := range d.code() {
			for _, name := range variable.FindAllString(testFile.ReplaceAllString(line, ""), -1) {
				if !known[name] && !othersNames[name] {
					t.Errorf("%s: %q: %s is in no program, template or chart", d.path, line, name)
				}
			}
		}
		for _, name := range annotation.FindAllString(d.text, -1) {
			if !known[name] && !told[name] && !strings.Contains(own, "| `"+name+"` |") {
				t.Errorf("%s: nothing reads the annotation %s", d.path, name)
			}
		}
	}
}

// testFile is the name of a file, which has underscores too.
var testFile = regexp.MustCompile(`\S+_test\.go`)

// told are annotations by which the provider says something.
var told = map[string]bool{"com.openfaas.lambda/package-type": true, "com.openfaas.lambda/package-reason": true}

// prefixes are what the code puts annotations of some kinds together with.
var prefixes = map[string]string{"provider/backend/memory/": "com.openfaas.memory/", "provider/backend/federation/": "com.openfaas.federation."}

// othersNames are names that other programs read or have.
var othersNames = map[string]bool{
	"upstream_timeout": true, "ack_wait": true, "direct_functions": true, "faas_prometheus_host": true, "faas_prometheus_port": true, // OpenFaaS' gateway
	"gateway_function_invocation_total": true, "gateway_service_count": true, // its metrics
	"aws_region":      true,                                                                                        // the first faas-lambda's chart
	"honor_labels":    true,                                                                                        // Prometheus
	"XDG_RUNTIME_DIR": true, "REGISTRY_AUTH_FILE": true, "DOCKER_CONFIG": true, "CONTAINERS_REGISTRIES_CONF": true, // containers/image
	"AWS_WEB_IDENTITY_TOKEN_FILE": true,                                                                                           // AWS's SDK
	"OTEL_EXPORTER_OTLP_HEADERS":  true, "OTEL_SERVICE_NAME": true, "OTEL_RESOURCE_ATTRIBUTES": true, "OTEL_TRACES_SAMPLER": true, // OpenTelemetry's
	"lambda_handler": true, "http_code": true, // Python on Lambda, curl
}

var quoted = regexp.MustCompile(`"([a-z-]+)"`)

// namesOfTheSources are those of all files but tests and documents.
func namesOfTheSources(t *testing.T) map[string]bool {
	t.Helper()
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && slices.Contains([]string{".git", "bin", "docs", "testdata", "target", "node_modules"}, e.Name()):
			return fs.SkipDir
		case !e.Type().IsRegular() || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".md"):
			return nil
		}
		data, err := os.ReadFile(path)
		for _, pattern := range []*regexp.Regexp{variable, annotation} {
			for _, name := range pattern.FindAll(data, -1) {
				all[string(name)] = true
			}
		}
		for folder, prefix := range prefixes {
			if strings.HasPrefix(path, filepath.Join(root, folder)) {
				for _, m := range quoted.FindAllSubmatch(data, -1) {
					all[prefix+string(m[1])] = true
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
