package watchdog

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"usr/bin/tool", "app/local", "app/bin/tool", "odd/tool/x"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "usr/bin/data"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(root, name) }
	t.Setenv("PATH", at("usr/bin"))
	for name, c := range map[string]struct{ path, program, want string }{
		"in PATH":                     {at("usr/bin"), "tool", at("usr/bin/tool")},
		"the first of PATH":           {at("app/bin") + ":" + at("usr/bin"), "tool", at("app/bin/tool")},
		"a directory is no program":   {at("odd") + ":" + at("usr/bin"), "tool", at("usr/bin/tool")},
		"PATH of the image, unmoved":  {"/usr/bin", "tool", at("usr/bin/tool")},
		"an empty element is the dir": {":/nowhere", "local", at("app/local")},
		"relative path":               {"", "./local", "./local"},
		"absolute in the root only":   {"", "/usr/bin/tool", at("usr/bin/tool")},
		"absolute where it is":        {"", at("usr/bin/tool"), at("usr/bin/tool")},
		"absolute nowhere":            {"", "/usr/bin/none-of-this-name", "/usr/bin/none-of-this-name"},
		"not executable":              {at("usr/bin"), "data", ""},
		"not in the function's PATH":  {"/nowhere", "tool", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := environment{dir: at("app"), root: root, vars: []string{"PATH=/never", "PATH=" + c.path}}
			got, err := e.find(c.program)
			if got != c.want || (err != nil) != (c.want == "") || (err != nil && !errors.Is(err, exec.ErrNotFound)) {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}
