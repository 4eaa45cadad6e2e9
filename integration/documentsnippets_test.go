package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/format"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/provider/config"
)

// checks are how a block of a language is checked. Java and Rust are shown as
// signatures, which no compiler takes; the templates' own tests compile such.
var checks = map[string]func(t *testing.T, b block) error{
	"go":         goSnippet,
	"js":         checkedBy("handler.js", "node", "--check"),
	"json":       jsonSnippet,
	"python":     checkedBy("handler.py", "python3", "-c", "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')"),
	"ruby":       checkedBy("handler.rb", "ruby", "-c"),
	"sh":         checkedBy("commands.sh", "bash", "-n"),
	"yaml":       yamlSnippet,
	"dockerfile": nil,
	"java":       nil,
	"rust":       nil,
	"text":       nil,
	"toml":       nil,
}

// TestSnippetsOfTheDocuments checks every block of every document by its
// language, which it must have.
func TestSnippetsOfTheDocuments(t *testing.T) {
	for _, d := range documents(t) {
		blocks, _ := d.parts()
		for _, b := range blocks {
			check, known := checks[b.language]
			if !known {
				t.Errorf("%s: a block of the language %q, which no test knows", b.where, b.language)
			}
			if check == nil {
				continue
			}
			t.Run(b.where, func(t *testing.T) {
				if err := check(t, b); err != nil {
					t.Errorf("%s: %v", b.where, err)
				}
			})
		}
	}
}

// checkedBy writes the block to a file of that name and gives that to a program.
func checkedBy(file, name string, args ...string) func(*testing.T, block) error {
	return func(t *testing.T, b block) error {
		path := filepath.Join(t.TempDir(), file)
		if err := os.WriteFile(path, []byte(b.text), 0o600); err != nil {
			return err
		}
		return said(t.Context(), "", name, append(args, path)...)
	}
}

func said(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// goSnippet is formatted. A whole file is compiled as one more of the function of
// go-lambda.
func goSnippet(t *testing.T, b block) error {
	formatted, err := format.Source([]byte(b.text))
	if err != nil {
		return err
	}
	if string(formatted) != b.text {
		return fmt.Errorf("gofmt has it otherwise:\n%s", formatted)
	}
	if !strings.HasPrefix(b.text, "package ") {
		return nil
	}
	root, err := fixture.Root()
	if err != nil {
		return err
	}
	dir := t.TempDir()
	err = errors.Join(
		os.CopyFS(dir, os.DirFS(filepath.Join(root, "templates/template/go-lambda"))),
		os.WriteFile(filepath.Join(dir, "function", "snippet.go"), []byte(b.text), 0o600),
	)
	if err != nil {
		return err
	}
	return said(t.Context(), dir, "go", "vet", "-tags", "events", ".", "./function")
}

func jsonSnippet(_ *testing.T, b block) error {
	dec := json.NewDecoder(strings.NewReader(b.text))
	for {
		var v any
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// yamlSnippet is YAML, and what it says it is: a file for serve --config, or
// values of the chart.
func yamlSnippet(t *testing.T, b block) error {
	var v any
	if err := yaml.Unmarshal([]byte(b.text), &v); err != nil {
		return err
	}
	whole, _ := v.(map[string]any)
	path := filepath.Join(t.TempDir(), "file.yaml")
	if err := os.WriteFile(path, []byte(b.text), 0o600); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(b.where, "chart/") || strings.HasPrefix(b.text, "# values.yaml\n"):
		root, err := fixture.Root()
		if err != nil {
			return err
		}
		return said(t.Context(), root, "bin/tools/helm", "template", "faas-lambda", "chart/faas-lambda", "--values", path)
	case whole["federation"] != nil:
		cfg, err := config.Read(func(string) string { return "" })
		if err == nil {
			_, err = cfg.ReadFile(path, "")
		}
		return err
	}
	return nil
}
