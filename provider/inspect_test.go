package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/provider/config"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// inspected runs the command and returns its table and its JSON.
func inspected(t *testing.T, ref string) (table string, found packaging.Inspection) {
	t.Helper()
	t.Setenv("cache_dir", t.TempDir())
	for _, args := range [][]string{{ref}, {ref, "--json"}} {
		cmd := inspectCommand()
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetArgs(append(args, "--arch", runtime.GOARCH))
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(args) == 1 {
			table = out.String()
			continue
		}
		if err := json.Unmarshal(out.Bytes(), &found); err != nil {
			t.Fatalf("%v in %s", err, &out)
		}
	}
	return table, found
}

func wantLines(t *testing.T, table string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(table, line) {
			t.Errorf("%q is not in\n%s", line, table)
		}
	}
}

func TestInspectImage(t *testing.T) {
	compiled, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	base := map[string][]byte{"bin/cat": compiled["cat"], "usr/bin/fwatchdog": compiled["cat"], "usr/lib/noise": noise(1, 3<<20), "usr/share/doc/x": noise(1, 1<<20)}
	ref := stacked(t, base, map[string][]byte{"usr/local/bin/tool": []byte("#!/bin/cat\n")})
	table, found := inspected(t, ref)
	wantLines(t, table, "image", "package", "zip: it can be moved to /var/task", "LAYER", "LIMIT", "unzipped", "zip in a request", "LEFT OUT", "documentation", "scripts", "LARGEST FILES", "/usr/lib/noise")
	if found.Kind != "image" || !strings.HasPrefix(found.Digest, "sha256:") || found.Watchdog != "classic-watchdog" || found.Expected.Type != packaging.Zip {
		t.Errorf("%+v", found)
	}
	if len(found.Layers) != 2 || found.Layers[0].Bytes < 4<<20 || found.Layers[0].Kept >= found.Layers[0].Bytes || found.Layers[1].Bytes != 11 {
		t.Errorf("layers %+v", found.Layers)
	}
	if len(found.Moved.Scripts) != 1 || len(found.Largest) == 0 || found.Largest[0].Layer == "" || len(found.LeftOut) == 0 {
		t.Errorf("moved %+v, largest %+v, left out %+v", found.Moved, found.Largest, found.LeftOut)
	}
	for _, l := range found.Limits {
		if l.Left != l.Limit-l.Used || l.Left <= 0 {
			t.Errorf("limit %+v", l)
		}
	}
	zip := filepath.Join(t.TempDir(), "function.zip")
	cfg := config.Config{LocalImages: true, CacheDir: t.TempDir()}
	if err := pack(t.Context(), cfg, ref, packageOptions{output: zip, arch: runtime.GOARCH}, &bytes.Buffer{}, os.Stderr); err != nil {
		t.Fatal(err)
	}
	table, packed := inspected(t, zip)
	wantLines(t, table, "zip", "classic-watchdog", "bootstrap", "LARGEST FILES", "/usr/lib/noise")
	if packed.Kind != "zip" || packed.Digest != found.Digest || len(packed.Moved.Scripts) != 1 {
		t.Errorf("%+v", packed)
	}
	// Its bootstrap is another program, but for that the image's zip was foreseen.
	if a, b := found.Expected, packed.Expected; a.Files != b.Files || a.Symlinks != b.Symlinks || a.Dirs != b.Dirs || a.SHA256 != b.SHA256 || a.Zipped != b.Zipped {
		t.Errorf("foreseen %+v, packed %+v", a, b)
	}
}

func TestInspectWhatBecomesAnImage(t *testing.T) {
	compiled, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	ref := stacked(t, map[string][]byte{"bin/cat": compiled["cat"], "usr/bin/fwatchdog": compiled["cat"], "usr/lib/zero": make([]byte, 263<<20)})
	table, found := inspected(t, ref)
	wantLines(t, table, "image: ", "package is larger than Lambda takes", "/usr/lib/zero")
	if found.Expected.Type != packaging.Image || found.Limits[0].Left >= 0 {
		t.Errorf("%+v", found.Expected)
	}
}

func TestInspectRefuses(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.zip")
	if err := os.WriteFile(broken, []byte("PK\x03\x04 and no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"nothing": {}, "two": {"a", "b"}, "broken zip": {broken}, "missing zip": {filepath.Join(dir, "missing.zip")}, "no image": {"oci:" + dir},
	} {
		cmd := inspectCommand()
		cmd.SetOut(&bytes.Buffer{})
		cmd.SetErr(&bytes.Buffer{})
		cmd.SetArgs(args)
		if err := cmd.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
