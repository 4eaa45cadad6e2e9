package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// goFunctions makes a folder with functions in Go and the template for them, and
// works there.
func goFunctions(t *testing.T, names ...string) {
	t.Helper()
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", strings.TrimSpace(string(cache))) // Go's own stays where it is
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Chdir(t.TempDir())
	files := map[string]string{
		"template/go-lambda/template.yml": "language: go-lambda\n", "template/go-lambda/go.mod": "module handler\n\ngo 1.25\n",
		"template/go-lambda/go.work": "go 1.25\n\nuse (\n\t.\n\t./function\n)\n",
		"template/go-lambda/main.go": "package main\n\nimport \"handler/function\"\n\nfunc main() { function.Handle() }\n",
	}
	stack := "provider: {name: openfaas}\nfunctions:\n"
	for _, name := range names {
		files[name+"/go.mod"] = "module handler/function\n\ngo 1.25\n"
		files[name+"/handler.go"] = "package function\n\nfunc Handle() { println(\"" + name + "\") }\n"
		stack += "  " + name + ": {lang: go-lambda, handler: ./" + name + ", image: \"registry.example.com/" + name + ":1\"}\n"
	}
	files["stack.yaml"] = stack
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func runCommandLine(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestBuildNamesWhatItBuilt(t *testing.T) {
	goFunctions(t, "hello", "other")
	out, err := runCommandLine(t, "build", "--tag", "digest", "--parallel", "2", "--build-label", "team=a", "--no-cache", "--quiet", "--disable-stack-pull")
	if err != nil || strings.Count(out, "registry.example.com/") != 2 {
		t.Fatalf("%v\n%s", err, out)
	}
	index, err := layout.ImageIndexFromPath("build/oci/hello")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	tag := manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"]
	if len(tag) != 32 || !strings.Contains(out, "registry.example.com/hello:"+tag) {
		t.Errorf("the layout's tag is %q\n%s", tag, out)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if file, err := img.ConfigFile(); err != nil || file.Config.Labels["team"] != "a" {
		t.Errorf("labels %v, %v", file.Config.Labels, err)
	}
}

func TestBuildTakesAFunctionOfFlags(t *testing.T) {
	goFunctions(t, "hello")
	if err := os.Remove("stack.yaml"); err != nil {
		t.Fatal(err)
	}
	out, err := runCommandLine(t, "build", "--name", "flags", "--lang", "go-lambda", "--handler", "./hello", "--image", "registry.example.com/flags",
		"--tag", "latest", "--platforms", "linux/"+runtime.GOARCH)
	if err != nil || !strings.Contains(out, "flags: oci:build/oci/flags, sha256:") || !strings.Contains(out, "registry.example.com/flags:latest") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestBuildRefusesFlags(t *testing.T) {
	goFunctions(t, "hello")
	for name, c := range map[string]struct{ args, says string }{
		"squash":           {"--squash", "--squash: an image has one layer"},
		"another builder":  {"--remote-builder http://127.0.0.1:8081", "faas-cli publish"},
		"two processors":   {"--platforms linux/amd64,linux/arm64", "for one processor"},
		"no processor":     {"--platforms linux/386", "want linux/amd64 or linux/arm64"},
		"tag":              {"--tag commit", "want latest, sha"},
		"nothing parallel": {"--parallel 0", "want 1 or more"},
		"label":            {"--build-label team", "want NAME=VALUE"},
		"half a function":  {"--handler ./hello", "[lang name]"},
		"two functions":    {"--handler ./hello --name a --lang go-lambda hello", "two functions"},
		"no template":      {"--handler ./hello --name a --lang cobol", "there is no template cobol"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := runCommandLine(t, append([]string{"build"}, strings.Fields(c.args)...)...)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q\n%s", err, c.says, out)
			}
		})
	}
}
