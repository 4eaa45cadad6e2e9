package workshop

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestBuildChecksPython(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		t.Fatal(err)
	}
	here := strings.TrimSpace(string(out))
	broken := "def handle(event, context):\n    return {\n"
	for name, c := range map[string]struct {
		version       string
		files         map[string]string
		fails, prints string // file and line; empty means nothing
	}{
		"sound":                      {here, map[string]string{"handler.py": "x = '\\d'\n", "lib/a.py": "\n"}, "", ""},
		"a mistake in the handler":   {here, map[string]string{"handler.py": broken}, "handler.py:2: ", ""},
		"a zero byte in it":          {here, map[string]string{"handler.py": "a = 1\x00"}, "handler.py:", ""},
		"a mistake in another file":  {here, map[string]string{"handler.py": "", "lib/old.py": "\nprint 'two'\n"}, "", "hello: warning: HANDLER/lib/old.py:2: "},
		"for a newer Python":         {"9.9", map[string]string{"handler.py": broken}, "", "hello: warning: HANDLER/handler.py:2: "},
		"for one of no such version": {"latest", map[string]string{"handler.py": broken}, "", "by a Python that is older"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"template/index.py": "#"}
			for name, content := range c.files {
				files["hello/"+name] = content
			}
			f := function(t, "python-lambda", files)
			f.BuildArgs = map[string]string{"PYTHON_VERSION": c.version}
			var printed bytes.Buffer
			_, err := Build(t.Context(), f, Options{Arch: runtime.GOARCH, Base: noBase, CacheDir: t.TempDir(), Output: &printed})
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), filepath.Join(f.Handler, c.fails))) {
				t.Errorf("%v, want %q", err, c.fails)
			}
			if want := strings.ReplaceAll(c.prints, "HANDLER", f.Handler); want == "" && printed.Len() > 0 || !strings.Contains(printed.String(), want) {
				t.Errorf("it printed %q, want %q", printed.String(), want)
			}
		})
	}
}

// TestBuildWithoutPython: a function without requirements is built without it, or
// with one that does not run.
func TestBuildWithoutPython(t *testing.T) {
	for name, files := range map[string]map[string]string{"none": {}, "one that does not run": {"bin/python3": "#!/bin/sh\nexit 127\n"}} {
		t.Run(name, func(t *testing.T) {
			dir := writeAll(t, files)
			for name := range files {
				if err := os.Chmod(filepath.Join(dir, name), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			f := function(t, "python-lambda", map[string]string{"template/index.py": "#", "hello/handler.py": "("})
			t.Setenv("PATH", filepath.Join(dir, "bin"))
			var printed bytes.Buffer
			if _, err := Build(t.Context(), f, Options{Arch: runtime.GOARCH, Base: noBase, CacheDir: t.TempDir(), Output: &printed}); err != nil {
				t.Error(err)
			}
			if len(files) > 0 != strings.Contains(printed.String(), "was not checked") {
				t.Errorf("it printed %q", printed.String())
			}
		})
	}
}
