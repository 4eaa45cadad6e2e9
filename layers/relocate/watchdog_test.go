package relocate

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/faas-lambda/faas-lambda/layers"
)

// build builds a program of the given module and package with the Go that runs
// the test, so that it carries real build information.
func build(t *testing.T, module, pkg string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string]string{
		"go.mod":                      "module " + module + "\n\ngo 1.26\n",
		filepath.Join(pkg, "main.go"): "package main\n\nfunc main() {}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", "program", "./"+pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "program"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWatchdogIsKnownByItsBuildInformation(t *testing.T) {
	for name, c := range map[string]struct {
		module, pkg, program string
		mode                 bool
		want                 string
		leftOut              bool
	}{
		"of-watchdog":                    {"github.com/openfaas/of-watchdog", "", "fwatchdog", false, layers.OfWatchdog, true},
		"classic, though mode is set":    {"github.com/openfaas/classic-watchdog", "", "fwatchdog", true, layers.ClassicWatchdog, true},
		"ours":                           {"github.com/faas-lambda/faas-lambda", "watchdog/cmd", "fwatchdog", false, layers.OfWatchdog, true},
		"of-watchdog by another name":    {"github.com/openfaas/of-watchdog", "", "start", false, layers.OfWatchdog, true},
		"a fork that is known by nobody": {"example.com/dog", "", "fwatchdog", false, layers.ClassicWatchdog, false},
		"a fork with mode":               {"example.com/dog", "", "fwatchdog", true, layers.OfWatchdog, false},
		"a function":                     {"example.com/handler", "", "handler", true, layers.NoWatchdog, false},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"bin/fn": amd, "usr/bin/" + c.program: build(t, c.module, c.pkg)}
			config := layers.Config{Arch: "amd64", Cmd: []string{c.program}, Env: []string{"PATH=/usr/bin:/bin", "fprocess=fn"}}
			if c.mode {
				config.Env = append(config.Env, "mode=http")
			}
			r, err := Relocate(tree(t, files), config, Options{Prefix: "/var/task"})
			if err != nil {
				t.Fatal(err)
			}
			if r.Start.Watchdog != c.want {
				t.Errorf("%s, want %s", r.Start.Watchdog, c.want)
			}
			if _, kept := r.Tree.Get("usr/bin/" + c.program); kept == c.leftOut || len(r.LeftOut) > 0 != c.leftOut {
				t.Errorf("kept %v, left out %v", kept, r.LeftOut)
			}
			if !c.leftOut {
				return
			}
			for name, use := range map[string]func(*layers.Config){
				"a link leads to it":   func(*layers.Config) { files["bin/dog"] = "->/usr/bin/" + c.program },
				"the process names it": func(config *layers.Config) { config.Env = append(config.Env, "fprocess=fn /usr/bin/"+c.program) },
			} {
				config := config
				use(&config)
				r, err := Relocate(tree(t, files), config, Options{Prefix: "/var/task"})
				delete(files, "bin/dog")
				if err != nil {
					t.Fatal(err)
				}
				if _, kept := r.Tree.Get("usr/bin/" + c.program); !kept {
					t.Errorf("left out although %s", name)
				}
			}
		})
	}
}
