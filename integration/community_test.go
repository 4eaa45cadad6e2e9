package integration

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/integration/images"
)

// community is a template of the community and an image of the shape that its
// Dockerfile gives: the interpreter from Debian, the same paths, variables and
// watchdog. What is copied into it is a stand-in of ours, or with
// TEMPLATES=DIR the template's own files, made ready by the language's tools.
type community struct {
	name     string
	libc     string // of the published image
	suite    string // of Debian; empty means trixie
	packages []string
	node     string // major version
	env      []string
	command  string
	standIn  string                                       // file in functions/community, or empty for a program of functions
	files    fixture.Layer                                // beside it
	ready    func(t *testing.T, dir string)               // runs tools in a copy of the template
	program  func(t *testing.T, dir string)               // compiles it there to handler
	compile  func(t *testing.T, dir string) fixture.Layer // what goes into the image, of the stand-in where dir is empty
	large    bool                                         // more than a zip may be
	says     string                                       // what the template's own function answers to ping
}

var flaskPackages = []string{"python3", "python3-flask", "python3-waitress", "zlib1g", "dash", "libc-bin"}

func pythonTemplate(name, libc, says string) community {
	return community{
		name: name, libc: libc, packages: flaskPackages, standIn: "flask.py", command: "fwatchdog", says: says,
		env:   []string{"PATH=/usr/local/bin:/usr/bin:/bin:/home/app/.local/bin", "fprocess=python index.py", "cgi_headers=true", "mode=http", "upstream_url=http://127.0.0.1:5000"},
		files: fixture.Layer{"usr/bin/python": fixture.Symlink("python3"), "home/app/function/__init__.py": fixture.Text("")},
	}
}

func nodeTemplate(version string) community {
	return community{
		name: "node" + version, libc: "musl", packages: []string{"libatomic1", "libstdc++6", "dash"}, node: version, standIn: "node.js", command: "fwatchdog", says: "ping",
		env: []string{debianPath, "NPM_CONFIG_LOGLEVEL=warn", "cgi_headers=true", "fprocess=node index.js", "mode=http", "upstream_url=http://127.0.0.1:3000", "exec_timeout=10s", "write_timeout=15s", "read_timeout=15s", "prefix_logs=false"},
		ready: func(t *testing.T, dir string) {
			for _, folder := range []string{dir, filepath.Join(dir, "function")} {
				tool(t, folder, "npm", "install", "--no-audit", "--no-fund", "--silent")
			}
		},
	}
}

func goTemplate(name string) community {
	return community{
		name: name, libc: "none (static)", command: "./fwatchdog", says: "Body: ping",
		env: []string{debianPath, "fprocess=./handler", "mode=http", "upstream_url=http://127.0.0.1:8082", "prefix_logs=false"},
		program: func(t *testing.T, dir string) {
			if _, err := os.Stat(filepath.Join(dir, "modules-cleanup.sh")); err == nil {
				tool(t, dir, "sh", "./modules-cleanup.sh") // as its Dockerfile does
			}
			data, err := fixture.Build(t.Context(), dir, ".", arch)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "handler"), data, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// communities are the templates in their order in the table.
var communities = []community{
	goTemplate("golang-middleware"),
	goTemplate("golang-http"),
	nodeTemplate("20"),
	nodeTemplate("22"),
	pythonTemplate("python3-http", "musl", "Hello from OpenFaaS!"),
	pythonTemplate("python3-http-debian", "glibc", "Hello from OpenFaaS!"),
	pythonTemplate("python3-flask", "musl", "ping"),
	{
		name: "php8", libc: "musl", packages: []string{"php-cli", "dash"}, standIn: "echo.php", command: "fwatchdog", says: "ping",
		env: []string{debianPath, "fprocess=php index.php"},
		// What composer's generated loader does for the template's one package.
		files: fixture.Layer{"home/app/function/vendor/autoload.php": fixture.Text("<?php spl_autoload_register(function ($c) { require __DIR__ . '/../src/' . str_replace(['App\\\\', '\\\\'], ['', '/'], $c) . '.php'; });\n")},
	},
	{
		name: "ruby-http", libc: "glibc", packages: []string{"ruby", "ruby-sinatra", "ruby-rackup", "puma", "dash", "libc-bin"}, standIn: "sinatra.rb", command: "fwatchdog", says: "Hello world from the Ruby template",
		env: []string{debianPath, "fprocess=ruby index.rb", "upstream_url=http://127.0.0.1:5000", "mode=http"},
	},
	java17(),
	{name: "dockerfile", libc: "musl", command: "fwatchdog", env: []string{debianPath, "fprocess=cat"}, says: "ping"},
}

// tool runs a program of the language in a folder.
func tool(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// published returns a copy of the template that can be changed, or nothing
// without TEMPLATES.
func (c community) published(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("TEMPLATES")
	if dir == "" {
		return ""
	}
	for _, pattern := range []string{"template", "*/template"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern, c.name))
		if err != nil || len(found) == 0 {
			continue
		}
		to := filepath.Join(t.TempDir(), c.name)
		if err := os.CopyFS(to, os.DirFS(found[0])); err != nil {
			t.Fatal(err)
		}
		return to
	}
	t.Fatalf("no template %s in TEMPLATES=%s", c.name, dir)
	return ""
}

// image is the template's image with its function.
func (c community) image(t *testing.T) v1.Image {
	t.Helper()
	app := fixture.Layer{}
	watchdog := "usr/bin/fwatchdog"
	if strings.HasPrefix(c.command, "./") {
		watchdog = "home/app/fwatchdog"
	}
	app[watchdog] = fixture.Program(program(t, "watchdog", arch))
	dir := c.published(t)
	switch {
	case c.name == "dockerfile":
		app["bin/cat"] = fixture.Program(program(t, "cat", arch))
	case c.compile != nil:
		maps.Copy(app, c.compile(t, dir))
	case c.program != nil && dir != "":
		c.program(t, dir)
		data, err := os.ReadFile(filepath.Join(dir, "handler"))
		if err != nil {
			t.Fatal(err)
		}
		app["home/app/handler"] = fixture.Program(data)
	case c.program != nil:
		app["home/app/handler"] = fixture.Program(program(t, "web", arch))
	case dir != "":
		if c.ready != nil {
			c.ready(t, dir)
		}
		addFolder(t, app, dir, "home/app")
	default:
		data, err := os.ReadFile(filepath.Join("functions/community", c.standIn))
		if err != nil {
			t.Fatal(err)
		}
		app["home/app/index"+filepath.Ext(c.standIn)] = fixture.Text(string(data))
	}
	maps.Copy(app, c.files)
	return c.assemble(t, app)
}

func (c community) assemble(t *testing.T, app fixture.Layer) v1.Image {
	t.Helper()
	img, err := fixture.Image(arch, v1.Config{Env: c.env, Cmd: []string{c.command}, WorkingDir: "/home/app", User: "app"})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.packages) == 0 {
		img, err = fixture.Append(img, fixture.Alpine())
	} else {
		var root string
		if root, err = images.Root(t.Context(), cmp.Or(c.suite, "trixie"), arch, c.packages...); err != nil {
			t.Fatal(err)
		}
		layer, layerErr := images.Layer(root)
		if layerErr != nil {
			t.Fatal(layerErr)
		}
		img, err = mutate.AppendLayers(img, layer)
	}
	if err != nil {
		t.Fatal(err)
	}
	if c.node != "" {
		file, err := images.NodeOf(t.Context(), c.node, arch)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		app["usr/local/bin/node"] = fixture.Program(data)
	}
	if img, err = fixture.Append(img, app); err != nil {
		t.Fatal(err)
	}
	return img
}

// addFolder adds a folder's files to a layer.
func addFolder(t *testing.T, layer fixture.Layer, dir, to string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, relErr := filepath.Rel(dir, name)
		layer[filepath.Join(to, rel)] = fixture.File{Mode: 0o644, Data: data}
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCommunityTemplates deploys every template in every type of package, asks
// its function, and fills the table of docs/templates.md.
func TestCommunityTemplates(t *testing.T) {
	var table strings.Builder
	table.WriteString("| template | watchdog | libc there | zip | layers | image |\n|---|---|---|---|---|---|\n")
	known := map[string][]string{} // by stand-in: some templates' images differ in the template's own files alone
	for _, c := range communities {
		watchdog := "of-watchdog, http"
		if !strings.Contains(strings.Join(c.env, " "), "mode=http") {
			watchdog = "classic"
		}
		key := c.standIn + c.node + c.name
		if os.Getenv("TEMPLATES") == "" && c.standIn != "" {
			key = c.standIn + c.node
		}
		cells := known[key]
		if cells == nil {
			ref := push(t, "community/"+c.name+":1", c.image(t))
			for _, kind := range packageTypes {
				t.Run(c.name+" "+kind, func(t *testing.T) { cells = append(cells, c.try(t, ref, kind)) })
			}
			known[key] = cells
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", c.name, watchdog, c.libc, strings.Join(cells, " | "))
	}
	tableOf(t, "community", table.String(), len(communities)*len(packageTypes))
}

// try deploys the template's function and asks it.
func (c community) try(t *testing.T, ref, kind string) string {
	name := c.name + "-" + kind
	if c.large && kind != "image" {
		return refused(t, name, ref, kind)
	}
	deploy(t, types.FunctionDeployment{Service: name, Image: ref, Annotations: &map[string]string{packageAnnotation: kind}})
	if got := packageType(t, name); got != kind {
		t.Errorf("%s: the package is of type %s", name, got)
		return "not made"
	}
	path, says := "", c.says
	if os.Getenv("TEMPLATES") == "" {
		says = "ping"
		if c.program != nil {
			path = "/echo"
		}
	}
	a := do(t, http.MethodPost, "/function/"+name+path, []byte("ping"), "Content-Type", "text/plain")
	if a.Status != http.StatusOK || !strings.Contains(string(a.Body), says) {
		t.Errorf("%v\n%s", unexpected(a), tail(shared.log.String()))
		return "fails"
	}
	return "works"
}

// refused deploys what is too large for a type of package.
func refused(t *testing.T, name, ref, kind string) string {
	t.Helper()
	body, err := json.Marshal(types.FunctionDeployment{Service: name, Image: ref, Annotations: &map[string]string{packageAnnotation: kind}})
	if err != nil {
		t.Fatal(err)
	}
	a := do(t, http.MethodPost, "/system/functions", body)
	if a.Status != http.StatusBadRequest || !strings.Contains(string(a.Body), "262144000") {
		t.Errorf("%s: %v", name, unexpected(a))
		return "fails"
	}
	return "cannot: over 250 MB"
}
