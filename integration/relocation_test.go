package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/integration/images"
)

// language is an image of an interpreter as its template's Dockerfile would make
// it: Debian, the interpreter, the watchdog, the function in /home/app.
type language struct {
	suite    string
	packages []string
	process  string
	file     string // the function, below integration/functions
	script   fixture.Layer
	env      []string
	bare     bool          // without the common packages
	base     fixture.Layer // more files below the function
	expect   func(t *testing.T, got map[string]any)
}

const debianPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// common is in every image: a shell as the image's own programs expect it.
var common = []string{"libc-bin", "dash", "coreutils", "ca-certificates", "tzdata"}

// image builds the image.
func (l language) image(t testing.TB) v1.Image {
	t.Helper()
	packages := append([]string{"dash"}, l.packages...)
	if !l.bare {
		packages = append(slices.Clone(common), l.packages...)
	}
	root, err := images.Root(t.Context(), l.suite, arch, packages...)
	if err != nil {
		t.Fatal(err)
	}
	layer, err := images.Layer(root)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := os.ReadFile(filepath.Join("functions", l.file))
	if err != nil {
		t.Fatal(err)
	}
	function := fixture.Layer{
		"usr/bin/fwatchdog": fixture.Program(program(t, "watchdog", arch)), "home/app/" + filepath.Base(l.file): fixture.Text(string(handler)),
	}
	for _, more := range []fixture.Layer{l.script, l.base} {
		for p, f := range more {
			function[p] = f
		}
	}
	config := v1.Config{
		Env: append([]string{debianPath, "mode=http", "upstream_url=http://127.0.0.1:8082", "fprocess=" + l.process}, l.env...),
		Cmd: []string{"fwatchdog"}, WorkingDir: "/home/app", User: "app",
	}
	img, err := fixture.Image(arch, config, function)
	if err != nil {
		t.Fatal(err)
	}
	top, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if img, err = fixture.Image(arch, config); err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, append([]v1.Layer{layer}, top...)...); err != nil {
		t.Fatal(err)
	}
	return img
}

// script is an executable file that a shebang of the image starts.
func script(name, line, body string) fixture.Layer {
	return fixture.Layer{"usr/local/bin/" + name: fixture.Program([]byte("#!" + line + "\n" + body + "\n"))}
}

var (
	python = language{
		process: "python3 index.py", file: "python/index.py", packages: []string{"python3", "zlib1g"},
		script: script("hello.py", "/usr/bin/env python3", "print('hello')"),
		base:   fixture.Layer{"home/app/.local/lib/python3.13/site-packages/greeting.py": fixture.Text("def hello(): return 'hello'\n")},
		expect: func(t *testing.T, got map[string]any) {
			want(t, got, map[string]any{"greeting": "hello", "dlopen": true, "zone": "JST", "zoneinfo": "2026-01-01T00:00:00+09:00", "locale": "C.UTF-8", "charset": "e9", "home": "/tmp", "preload": "", "library_path": ""})
			if n, ok := got["authorities"].(float64); !ok || n < 50 {
				t.Errorf("%v certificate authorities", got["authorities"])
			}
		},
	}
	node = language{
		process: "node index.js", file: "node/index.js", packages: []string{"libatomic1", "libstdc++6"}, bare: true,
		script: script("hello.js", "/usr/bin/env node", "console.log('hello')"),
		expect: func(t *testing.T, got map[string]any) {
			want(t, got, map[string]any{"zone": "01/01/1970, 09:00:00", "execPath": "/var/task/usr/local/bin/node", "childExecPath": "/var/task/usr/local/bin/node"})
		},
	}
	ruby = language{
		process: "ruby index.rb", file: "ruby/index.rb", packages: []string{"ruby"},
		script: script("hello.rb", "/usr/bin/ruby", "puts 'hello'"),
		expect: func(t *testing.T, got map[string]any) {
			want(t, got, map[string]any{"dlopen": true, "zone": "JST", "trusted": true})
			if list, ok := got["gems"].([]any); !ok || !slices.Contains(list, any("rake")) || !slices.Contains(list, any("json")) {
				t.Errorf("gems %v", list)
			}
		},
	}
	php = language{
		process: "php -S 127.0.0.1:8082 index.php", file: "php/index.php", packages: []string{"php-cli"},
		script: script("hello.php", "/usr/bin/env php", "<?php echo 'hello';"),
		expect: func(t *testing.T, got map[string]any) {
			want(t, got, map[string]any{"zone": "JST", "iconv": "e9", "cafile": "/var/task/etc/ssl/certs/ca-certificates.crt"})
			for _, name := range []any{"sockets", "FFI", "readline"} {
				if list, ok := got["extensions"].([]any); !ok || !slices.Contains(list, name) {
					t.Errorf("extension %v is not loaded: %v", name, list)
				}
			}
		},
	}
	perl = language{
		process: "perl index.pl", file: "perl/index.pl", packages: []string{"perl"},
		script: script("hello.pl", "/usr/bin/perl -w", "print 'hello';"),
		expect: func(t *testing.T, got map[string]any) {
			want(t, got, map[string]any{"zone": "JST", "charset": "e9"})
		},
	}
)

// nodeProgram is Node's own build in the place where its official images have it.
func nodeProgram(t *testing.T) fixture.Layer {
	file, err := images.Node(t.Context(), arch)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return fixture.Layer{"usr/local/bin/node": fixture.Program(data)}
}

func want(t *testing.T, got, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
}

func (l language) on(suite string, more ...fixture.Layer) language {
	l.suite = suite
	for _, m := range more {
		l.base = m
	}
	return l
}

// TestImagesRunFromVarTask deploys images as they are and asks their functions
// what they found.
func TestImagesRunFromVarTask(t *testing.T) {
	for name, l := range map[string]language{
		"python-trixie": python.on("trixie"),
		"python-bookworm": python.on("bookworm", fixture.Layer{
			"home/app/.local/lib/python3.11/site-packages/greeting.py": fixture.Text("def hello(): return 'hello'\n")}),
		"node-trixie":   node.on("trixie", nodeProgram(t)),
		"node-bookworm": node.on("bookworm", nodeProgram(t)),
		"ruby-trixie":   ruby.on("trixie"),
		"ruby-bookworm": ruby.on("bookworm"),
		"php-trixie":    php.on("trixie"),
		"php-bookworm":  php.on("bookworm"),
		"perl-trixie":   perl.on("trixie"),
		"perl-bookworm": perl.on("bookworm"),
	} {
		t.Run(name, func(t *testing.T) { l.run(t, name) })
	}
}

func (l language) run(t *testing.T, name string) {
	ref := push(t, "functions/"+name+":1", l.image(t))
	deploy(t, types.FunctionDeployment{Service: name, Image: ref})
	answer, err := shared.up.Do(t.Context(), http.MethodPost, "/function/"+name, []byte("ping"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(answer.Body, &got); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("status %d: %v\n%s\n%s", answer.Status, err, answer.Body, tail(shared.log.String()))
	}
	want(t, got, map[string]any{"body": "ping", "script": "hello"})
	if shell, _ := got["shell"].(string); !strings.HasSuffix(shell, "\n42") {
		t.Errorf("shell said %q", shell)
	}
	for _, list := range []string{"maps", "child"} {
		onlyOwn(t, list, got[list])
	}
	l.expect(t, got)
}

// onlyOwn fails when a process has mapped a file that is not of the package.
func onlyOwn(t *testing.T, list string, maps any) {
	t.Helper()
	files, ok := maps.([]any)
	if !ok || len(files) == 0 {
		t.Errorf("%s: no files mapped", list)
	}
	for _, f := range files {
		if name, _ := f.(string); !strings.HasPrefix(name, "/var/task/") && !strings.HasPrefix(name, "/dev/zero") {
			t.Errorf("%s: the host's %s is mapped", list, name)
		}
	}
}

func tail(s string) string { return s[max(0, len(s)-3000):] }

// TestBusyboxOnMuslRunsFromVarTask runs a busybox that is linked with musl, for
// each request, as the classic watchdog does: the shell, its applets through
// links, and itself as the child of the host's shell.
func TestBusyboxOnMuslRunsFromVarTask(t *testing.T) {
	busybox, err := images.Busybox(t.Context(), "trixie")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	root, err := images.Root(t.Context(), "trixie", arch, "musl")
	if err != nil {
		t.Fatal(err)
	}
	layer, err := images.Layer(root)
	if err != nil {
		t.Fatal(err)
	}
	config := v1.Config{Env: []string{debianPath, "fprocess=fn.sh"}, Cmd: []string{"fwatchdog"}, WorkingDir: "/home/app", User: "app"}
	img, err := fixture.Image(arch, config)
	if err != nil {
		t.Fatal(err)
	}
	over, err := fixture.Image(arch, config, fixture.Layer{
		"usr/bin/busybox": fixture.Program(data), "usr/bin/sh": fixture.Symlink("/usr/bin/busybox"), "usr/bin/cat": fixture.Symlink("busybox"),
		"usr/bin/sed": fixture.Symlink("/bin/busybox"), "usr/bin/awk": fixture.Symlink("busybox"), "usr/bin/sort": fixture.Symlink("busybox"),
		"usr/bin/fwatchdog": fixture.Program(program(t, "watchdog", arch)),
		"usr/local/bin/fn.sh": fixture.Program([]byte("#!/bin/sh\necho body: $(cat)\n" +
			"/bin/sh -c 'echo shell: $(echo 42 | cat)'\n" +
			"awk '{ if (NF > 5) print $6 }' /proc/self/maps | grep / | sort | sed 's/^/map: /'\n")),
		"usr/bin/grep": fixture.Symlink("busybox"), "usr/bin/tr": fixture.Symlink("busybox"),
	})
	if err != nil {
		t.Fatal(err)
	}
	top, err := over.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, append([]v1.Layer{layer}, top...)...); err != nil {
		t.Fatal(err)
	}
	ref := push(t, "functions/musl:1", img)
	deploy(t, types.FunctionDeployment{Service: "musl", Image: ref})
	answer, err := shared.up.Do(t.Context(), http.MethodPost, "/function/musl", []byte("ping"))
	if err != nil {
		t.Fatal(err)
	}
	said := string(answer.Body)
	if answer.Status != http.StatusOK || !strings.HasPrefix(said, "body: ping\nshell: 42\n") {
		t.Fatalf("status %d: %s\n%s", answer.Status, said, tail(shared.log.String()))
	}
	var maps []any
	for line := range strings.Lines(said) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "map: "); ok {
			maps = append(maps, name)
		}
	}
	onlyOwn(t, "awk", maps)
}
