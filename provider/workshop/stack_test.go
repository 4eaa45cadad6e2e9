package workshop

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const stackText = `version: 1.0
provider:
  name: openfaas
  gateway: http://127.0.0.1:8080
functions:
  hello:
    lang: go-lambda
    handler: ./hello
    image: ${REGISTRY:-registry.example.com}/hello:${TAG}
    build_args:
      GOFLAGS: -mod=vendor
      RETRIES: 3
      PYTHON_VERSION: 3.10
    build_options:
      - dev
    build_secrets:
      npmrc: ${HOME}/.npmrc
    environment:
      LEVEL: debug
      ON: true
    environment_file:
      - env.yml
    secrets:
      - token
    labels:
      team: data
    limits:
      memory: 128Mi
    fprocess: ./other
  ready:
    skip_build: true
    image: registry.example.com/ready:1
configuration:
  copy:
    - ./common
`

// writeAll writes files below a new folder.
func writeAll(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func stackFolder(t *testing.T, text string) string {
	return writeAll(t, map[string]string{
		"stack.yaml": text, "template/go-lambda/template.yml": "language: go-lambda\nbuild_options:\n  - name: dev\n    packages: [gcc]\n", "common/x.go": "package common\n",
		"hello/handler.go": "package function\n",
		"env.yml":          "environment:\n  LEVEL: info\n  REGION: eu\n",
	})
}

func TestReadStack(t *testing.T) {
	dir := stackFolder(t, stackText)
	getenv := func(name string) string { return map[string]string{"TAG": "7"}[name] }
	all, err := ReadStack(t.Context(), filepath.Join(dir, "stack.yaml"), StackOptions{Getenv: getenv})
	if err != nil || len(all) != 2 {
		t.Fatalf("%d functions, %v", len(all), err)
	}
	hello, ready := all[0], all[1]
	if hello.Image != "registry.example.com/hello:7" || hello.Handler != filepath.Join(dir, "hello") || hello.Template != filepath.Join(dir, "template/go-lambda") {
		t.Errorf("%+v", hello)
	}
	if d := cmp.Diff(map[string]string{"GOFLAGS": "-mod=vendor", "RETRIES": "3", "PYTHON_VERSION": "3.10"}, hello.BuildArgs); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"LEVEL": "info", "ON": "true", "REGION": "eu"}, hello.Deployment.EnvVars); d != "" {
		t.Error(d)
	}
	d := hello.Deployment
	if d.EnvProcess != "./other" || d.Limits.Memory != "128Mi" || (*d.Labels)["team"] != "data" || len(d.Secrets) != 1 || hello.Copy["common"] != filepath.Join(dir, "common") || !slices.Equal(hello.Withheld, []string{"npmrc"}) {
		t.Errorf("%+v", d)
	}
	if d := cmp.Diff([]string{filepath.Join(dir, "env.yml"), filepath.Join(dir, "stack.yaml")}, hello.Described); d != "" {
		t.Error(d)
	}
	if !ready.SkipBuild || ready.Deployment.Image != "registry.example.com/ready:1" {
		t.Errorf("%+v", ready)
	}
}

func TestReadStackRefuses(t *testing.T) {
	for name, c := range map[string]struct{ from, to, says string }{
		"another provider":  {"name: openfaas", "name: other", "provider.name"},
		"another version":   {"version: 1.0", "version: 2.0", "version is 2"},
		"no document":       {"provider:", "provider: [", "stack.yaml"},
		"no such template":  {"lang: go-lambda", "lang: cobol", "no template cobol"},
		"no handler":        {"    handler: ./hello\n", "", "handler"},
		"no such folder":    {"handler: ./hello", "handler: ./hallo", "hallo: no such file or directory"},
		"not a folder":      {"handler: ./hello", "handler: ./env.yml", "env.yml: not a directory"},
		"no such option":    {"      - dev\n", "      - fast\n", "no build option fast (it has: dev)"},
		"nothing to copy":   {"- ./common", "- ./uncommon", "uncommon: no such file or directory"},
		"copy from outside": {"- ./common", "- ../common", "want something below"},
		"twice the same":    {"    image:", "    lang: go-lambda\n    image:", "already defined"},
		"bad substitution":  {"${TAG}", "${TAG", "substitute"},
		"no such file":      {"- env.yml", "- none.yml", "environment_file"},
		"filter finds none": {"hello:\n    lang", "goodbye:\n    lang", "no function called hello"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := stackFolder(t, strings.Replace(stackText, c.from, c.to, 1))
			_, err := ReadStack(t.Context(), filepath.Join(dir, "stack.yaml"), StackOptions{Getenv: func(string) string { return "1" }, Filter: "hello"})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q in it", err, c.says)
			}
		})
	}
}

func TestReadStackChooses(t *testing.T) {
	dir := stackFolder(t, stackText)
	for name, c := range map[string]struct {
		options StackOptions
		want    string
	}{
		"all":               {StackOptions{}, "hello ready"},
		"by name":           {StackOptions{Filter: "hello"}, "hello"},
		"with a star":       {StackOptions{Filter: "*l*o"}, "hello"},
		"a dot is a dot":    {StackOptions{Filter: "hell."}, "no function called hell."},
		"by expression":     {StackOptions{Regex: "^.e"}, "hello ready"},
		"by a part":         {StackOptions{Regex: "ad"}, "ready"},
		"none":              {StackOptions{Regex: "^d"}, "no function called ^d"},
		"not an expression": {StackOptions{Regex: "("}, "--regex ("},
		"both":              {StackOptions{Regex: "x", Filter: "y"}, "give one of them"},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.Getenv = func(string) string { return "1" }
			all, err := ReadStack(t.Context(), filepath.Join(dir, "stack.yaml"), c.options)
			var got []string
			for _, f := range all {
				got = append(got, f.Name)
			}
			if said := strings.Join(got, " "); said != c.want && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%s, %v", said, err)
			}
		})
	}
}

// TestReadStackFromElsewhere reads stack files whose functions are in the working
// directory, as faas-cli has it.
func TestReadStackFromElsewhere(t *testing.T) {
	dir := stackFolder(t, stackText)
	t.Chdir(dir)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	other := filepath.Join(writeAll(t, map[string]string{"stack.yaml": stackText}), "stack.yaml")
	for _, file := range []string{other, server.URL + "/stack.yaml"} {
		all, err := ReadStack(t.Context(), file, StackOptions{Getenv: func(string) string { return "1" }})
		if err != nil || len(all) != 2 || all[0].Handler != filepath.Join(dir, "hello") {
			t.Errorf("%s: %+v, %v", file, all, err)
		}
	}
	if _, err := ReadStack(t.Context(), server.URL+"/none.yaml", StackOptions{}); err == nil || !strings.Contains(err.Error(), "/none.yaml: 404") {
		t.Errorf("a URL without a file: %v", err)
	}
}

func TestOpenFindsTheFunction(t *testing.T) {
	dir := stackFolder(t, stackText)
	for name, c := range map[string]struct {
		folder string
		want   int
	}{
		"the stack's folder": {"", 2},
		"a handler":          {"hello", 1},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := Open(t.Context(), filepath.Join(dir, c.folder), StackOptions{Getenv: func(string) string { return "1" }})
			if err != nil || len(all) != c.want || all[0].Name != "hello" {
				t.Errorf("%v, %v", all, err)
			}
		})
	}
	broken := stackFolder(t, strings.Replace(stackText, "  ready:", "  broken:\n    lang: cobol\n    handler: ./hello2\n  ready:", 1))
	if all, err := Open(t.Context(), filepath.Join(broken, "hello"), StackOptions{Getenv: func(string) string { return "1" }}); err != nil || len(all) != 1 {
		t.Errorf("beside a function that is wrong: %v, %v", all, err)
	}
	if _, err := Open(t.Context(), filepath.Join(dir, "template"), StackOptions{Getenv: func(string) string { return "1" }}); !errors.Is(err, ErrNoStack) {
		t.Errorf("a folder without function: %v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(dir, "nowhere"), StackOptions{}); err == nil {
		t.Error("a folder that is not there was opened")
	}
}

func FuzzParseStack(f *testing.F) {
	f.Add([]byte(stackText))
	f.Add([]byte("provider: {name: openfaas}\nfunctions: {a: {lang: ${B:-c}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseStack(data, func(string) string { return "x" })
		if err == nil && s.Provider.Name != "openfaas" {
			t.Errorf("%+v", s)
		}
	})
}
