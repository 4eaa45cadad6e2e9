package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// readFile reads a configuration file with that content.
func readFile(t *testing.T, content, kind string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "faas-lambda.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := read(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.ReadFile(path, kind)
}

const federationFile = `
federation:
  default: lambda
  secrets: by-function
  drain: 1m30s
  children:
    - name: lambda
      aws: {region: eu-central-1, executionRole: "arn:aws:iam::123456789012:role/functions", timeout: 30}
      longestRun: 5m
    - name: cluster
      remote: {url: "https://gateway.example.com", tokenFile: /var/run/token, retries: 0}
      namespaces: ["team-*"]
    - name: here
      memory: {}
  rules:
    - {function: "*-job", to: cluster}
`

func TestFile(t *testing.T) {
	c, err := readFile(t, federationFile, "")
	if err != nil {
		t.Fatal(err)
	}
	f := c.File.Federation
	if c.File.Kind != "federation" || f.Default != "lambda" || len(f.Children) != 3 || f.Drain != Duration(90*time.Second) || f.Rules[0].To != "cluster" {
		t.Errorf("%+v", c.File)
	}
	if a := f.Children[0]; a.AWS.Timeout != Duration(30*time.Second) || *a.LongestRun != Duration(5*time.Minute) || *f.Children[1].Remote.Retries != 0 || f.Children[2].Memory == nil {
		t.Errorf("%+v", f.Children)
	}
	if err := c.Serve(); err != nil {
		t.Error(err)
	}
	for kind, content := range map[string]string{"aws": "", "memory": "memory: {stateFile: /tmp/state.json}", "remote": "backend: remote\nmemory: {}\nremote: {url: http://g}"} {
		if c, err := readFile(t, content, ""); err != nil || c.File.Kind != kind {
			t.Errorf("%s: %q, %v", kind, c.File.Kind, err)
		}
	}
	if c, err := read(nil); err != nil {
		t.Error(err)
	} else if c, err = c.ReadFile("", "memory"); err != nil || c.File.Kind != "memory" {
		t.Errorf("without a file: %+v, %v", c.File, err)
	}
}

func TestBadFilesSayWhatIsWrong(t *testing.T) {
	child := func(text string) string {
		return "federation:\n  default: a\n  children:\n    - {name: a, memory: {}}\n" + text
	}
	for _, c := range []struct{ name, content, kind, says string }{
		{"no YAML", "a: b: c", "", "1:"},
		{"an unknown key", "memory:\n  file: x\n", "", "[2:3]"},
		{"an unknown section", "memory: {}\nkubernetes: {}\n", "", "[2:1]"},
		{"a key twice", "memory: {}\nmemory: {}\n", "", "[2:1]"},
		{"a wrong type", "federation:\n  failures: many\n", "", "[2:13]"},
		{"no duration", "remote:\n  url: http://g\n  timeout: soon\n", "", "soon"},
		{"no such backend", "", "kubernetes", `backend "kubernetes"`},
		{"two sections", "memory: {}\nremote: {url: http://g}", "", "memory and remote"},
		{"two backends", "backend: memory", "remote", "--backend is remote"},
		{"no section", "", "federation", "federation: the section is missing"},
		{"no URL", "remote: {}", "", "remote.url"},
		{"a user in the URL", "remote: {url: 'http://u:p@g'}", "", "remote.url"},
		{"half a login", "remote: {url: http://g, user: admin}", "", "remote.user"},
		{"adopted functions", "aws: {adoptPattern: '[a'}", "", "aws.adoptPattern"},
		{"a namespace's name", "aws: {namespaces: [{name: Team}]}", "", "aws.namespaces[0].name"},
		{"a namespace twice", "aws: {namespaces: [{name: a}, {name: a}]}", "", `aws.namespaces[1].name: "a" is there twice`},
		{"a namespace's role", "aws: {namespaces: [{name: a, assumeRole: admin}]}", "", "aws.namespaces[0].assumeRole"},
		{"two passwords", "remote: {url: http://g, user: admin, password: a, passwordFile: b}", "", "remote.password"},
		{"two logins", "remote: {url: http://g, user: admin, password: a, token: b}", "", "remote.token"},
		{"half a certificate", "remote: {url: http://g, keyFile: b}", "", "remote.certFile"},
		{"retries", "remote: {url: http://g, retries: 99}", "", "remote.retries"},
		{"connections", "remote: {url: http://g, maxIdleConns: -1}", "", "remote.maxIdleConns"},
		{"no children", "federation: {default: a}", "", "federation.children"},
		{"no default", "federation: {children: [{name: a, memory: {}}]}", "", "federation.default"},
		{"a child's name", child("    - {name: A_b, memory: {}}"), "", "federation.children[1].name"},
		{"a name twice", child("    - {name: a, memory: {}}"), "", `federation.children[1].name: "a" is there twice`},
		{"a child of two kinds", child("    - {name: b, memory: {}, remote: {url: http://g}}"), "", "federation.children[1]: it has 2"},
		{"a child of no kind", child("    - {name: b}"), "", "federation.children[1]: it has 0"},
		{"a bad child", child("    - {name: b, remote: {url: g}}"), "", "federation.children[1].remote.url"},
		{"a bad pattern", child("    - {name: b, memory: {}, namespaces: ['[']}"), "", "federation.children[1].namespaces"},
		{"a rule to nobody", child("  rules: [{function: f, to: b}]"), "", "federation.rules[0].to"},
		{"a rule for everything", child("  rules: [{to: a}]"), "", "federation.rules[0]: it has no condition"},
		{"a mode", child("  secrets: nowhere"), "", "federation.secrets"},
		{"less than nothing", child("  replayBytes: -1"), "", "federation.replayBytes"},
		{"a federation's name", child("  name: A"), "", "federation.name"},
		{"a role", "aws: {executionRole: me}", "", "aws.executionRole"},
		{"an architecture", "aws: {arch: x86}", "", "aws.arch"},
		{"memory", "aws: {memory: 64}", "", "aws.memory"},
		{"a timeout", "aws: {timeout: 16m}", "", "aws.timeout"},
		{"a bucket", "aws: {codeBucket: 's3://x'}", "", "aws.codeBucket"},
		{"half an endpoint", "aws: {endpoint: http://127.0.0.1:1}", "", "aws.endpoint"},
		{"a key for AWS", "aws: {accessKeyId: a, secretAccessKey: b}", "", "aws.accessKeyId"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readFile(t, c.content, c.kind)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "faas-lambda.yaml") {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := readFile(t, "remote: {url: 'http://u:hidden@g', user: a}", ""); err == nil || strings.Contains(err.Error(), "hidden") || strings.Count(err.Error(), "remote.") != 2 {
		t.Errorf("two bad values, one of them secret: %v", err)
	}
	if _, err := (Config{}).ReadFile("/missing.yaml", ""); err == nil || !strings.Contains(err.Error(), "/missing.yaml") {
		t.Errorf("%v", err)
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(federationFile))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if file, err := parseFile(data); err == nil && file.choose("") == nil {
			_ = file.check()
		}
	})
}
