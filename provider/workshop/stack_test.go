package workshop

import (
	"errors"
	"os"
	"path/filepath"
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
		"stack.yaml": text, "template/go-lambda/template.yml": "language: go-lambda\n", "hello/handler.go": "package function\n",
		"env.yml": "environment:\n  LEVEL: info\n  REGION: eu\n",
	})
}

func TestReadStack(t *testing.T) {
	dir := stackFolder(t, stackText)
	getenv := func(name string) string { return map[string]string{"TAG": "7"}[name] }
	all, err := ReadStack(filepath.Join(dir, "stack.yaml"), StackOptions{Getenv: getenv})
	if err != nil || len(all) != 2 {
		t.Fatalf("%d functions, %v", len(all), err)
	}
	hello, ready := all[0], all[1]
	if hello.Image != "registry.example.com/hello:7" || hello.Handler != filepath.Join(dir, "hello") || hello.Template != filepath.Join(dir, "template/go-lambda") {
		t.Errorf("%+v", hello)
	}
	if d := cmp.Diff(map[string]string{"GOFLAGS": "-mod=vendor", "RETRIES": "3"}, hello.BuildArgs); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"LEVEL": "debug", "ON": "true", "REGION": "eu"}, hello.Deployment.EnvVars); d != "" {
		t.Error(d)
	}
	d := hello.Deployment
	if d.EnvProcess != "./other" || d.Limits.Memory != "128Mi" || (*d.Labels)["team"] != "data" || len(d.Secrets) != 1 || hello.Copy[0] != "./common" {
		t.Errorf("%+v", d)
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
		"bad substitution":  {"${TAG}", "${TAG", "substitute"},
		"no such file":      {"- env.yml", "- none.yml", "environment_file"},
		"filter finds none": {"hello:\n    lang", "goodbye:\n    lang", "no function is called hello"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := stackFolder(t, strings.Replace(stackText, c.from, c.to, 1))
			_, err := ReadStack(filepath.Join(dir, "stack.yaml"), StackOptions{Getenv: func(string) string { return "1" }, Filter: "hello"})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q in it", err, c.says)
			}
		})
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
			all, err := Open(filepath.Join(dir, c.folder), StackOptions{Getenv: func(string) string { return "1" }})
			if err != nil || len(all) != c.want || all[0].Name != "hello" {
				t.Errorf("%v, %v", all, err)
			}
		})
	}
	if _, err := Open(filepath.Join(dir, "template"), StackOptions{Getenv: func(string) string { return "1" }}); !errors.Is(err, ErrNoStack) {
		t.Errorf("a folder without function: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "nowhere"), StackOptions{}); err == nil {
		t.Error("a folder that is not there was opened")
	}
}

func FuzzParseStack(f *testing.F) {
	f.Add([]byte(stackText))
	f.Add([]byte("provider: {name: openfaas}\nfunctions: {a: {lang: ${B:-c}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseStack(data, func(string) string { return "x" })
		if err == nil && s.Provider.Name != "openfaas" && s.Provider.Name != "faas" {
			t.Errorf("%+v", s)
		}
	})
}
