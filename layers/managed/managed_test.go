package managed_test

import (
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/managed"
)

// file is content that lies in a layer.
type file struct{ layer, text string }

func (f file) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(f.text)), nil }

// Key implements layers.KeyedContent.
func (f file) Key() string { return "sha256:" + f.layer + " x#" + f.text }

func tree(t *testing.T, files map[string]file) *layers.Tree {
	t.Helper()
	var list []layers.Entry
	seen := map[string]bool{".": true}
	for p, f := range files {
		list = append(list, layers.Entry{Path: p, Type: layers.File, Mode: 0o644, Size: int64(len(f.text)), Content: f})
		for dir := path.Dir(p); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			list = append(list, layers.Entry{Path: dir, Type: layers.Dir, Mode: 0o755})
		}
	}
	made, err := layers.NewTree(list)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

var stack = []layers.Layer{{Digest: "sha256:a"}, {Digest: "sha256:b"}, {Digest: "sha256:c"}}

func TestDetect(t *testing.T) {
	common := map[string]file{"lambda-entrypoint.sh": {"a", "x"}, "usr/local/bin/aws-lambda-rie": {"a", "x"}}
	config := layers.Config{Entrypoint: []string{"/lambda-entrypoint.sh"}, Cmd: []string{"app.handler"}}
	for name, c := range map[string]struct {
		files   map[string]file
		config  layers.Config
		runtime string
		layers  int
	}{
		"python":          {map[string]file{"var/runtime/bootstrap": {"b", "export AWS_EXECUTION_ENV=AWS_Lambda_python3.12\n"}, "var/lang/bin/python3.12": {"b", "p"}}, config, "python3.12", 2},
		"python, by name": {map[string]file{"var/lang/bin/python3.13": {"b", "p"}}, config, "python3.13", 2},
		"node":            {map[string]file{"var/lang/bin/node": {"b", "n"}, "var/lang/include/node/node_version.h": {"b", "#define NODE_MAJOR_VERSION 22\n"}}, config, "nodejs22.x", 2},
		"java":            {map[string]file{"var/lang/bin/java": {"b", "n"}, "var/lang/release": {"b", "X=1\nJAVA_VERSION=\"21.0.5\"\n"}}, config, "java21", 2},
		"ruby":            {map[string]file{"var/lang/bin/ruby": {"b", "n"}, "var/lang/lib/ruby/3.4.0/x.rb": {"b", "x"}}, config, "ruby3.4", 2},
		"provided":        {map[string]file{"etc/os-release": {"a", "VERSION_ID=\"2023\"\n"}, "var/runtime/bootstrap": {"c", "mine"}}, config, "provided.al2023", 1},
		"provided of old": {map[string]file{"usr/lib/os-release": {"a", "VERSION_ID=2\n"}}, config, "provided.al2", 1},
		"unknown":         {map[string]file{"var/lang/bin/cobol": {"b", "n"}}, config, "", 0},
		"another entry":   {map[string]file{"etc/os-release": {"a", "VERSION_ID=\"2023\"\n"}}, layers.Config{Entrypoint: []string{"/bin/sh"}}, "", 0},
		"watchdog":        {map[string]file{"etc/os-release": {"a", "VERSION_ID=\"2023\"\n"}}, layers.Config{Entrypoint: config.Entrypoint, Cmd: []string{"/usr/bin/fwatchdog"}}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			for p, f := range common {
				c.files[p] = f
			}
			if b, ok := managed.Detect(tree(t, c.files), c.config, stack); ok != (c.runtime != "") || ok && (b.Runtime != c.runtime || b.Layers != c.layers) {
				t.Errorf("%+v, %v", b, ok)
			}
		})
	}
}

func TestPack(t *testing.T) {
	base := map[string]file{"etc/os-release": {"a", "x"}, "usr/lib64/libc.so.6": {"a", "c"}, "var/lang/bin/python3.12": {"a", "p"}, "var/runtime/x": {"a", "r"}}
	config := layers.Config{Cmd: []string{"app.handler"}, Env: []string{"PATH=/x", "STAGE=a", "AWS_X=1", "LANG=C"}}
	for name, c := range map[string]struct {
		above   map[string]file
		base    managed.Base
		cmd     []string
		files   string
		leftOut int
		handler string
		err     error
	}{
		"task": {map[string]file{"var/task/a/app.py": {"c", "1"}}, managed.Base{Runtime: "python3.12"}, config.Cmd, "a/app.py", 0, "app.handler", nil},
		"packages and libraries": {
			map[string]file{"var/lang/lib/python3.12/site-packages/x/y.py": {"c", "1"}, "usr/lib64/libx.so.1": {"c", "2"}, "var/cache/z": {"c", "3"}, "var/lang/bin/flask": {"c", "4"}},
			managed.Base{Runtime: "python3.12"}, config.Cmd, "lib/libx.so.1 x/y.py", 2, "app.handler", nil,
		},
		"changed in the base's place": {map[string]file{"usr/lib64/libc.so.6": {"c", "other"}}, managed.Base{Runtime: "python3.12"}, config.Cmd, "lib/libc.so.6", 0, "app.handler", nil},
		"bootstrap":                   {map[string]file{"var/runtime/bootstrap": {"c", "1"}}, managed.Base{Runtime: "provided.al2023"}, nil, "bootstrap", 0, "./bootstrap", nil},
		"elsewhere":                   {map[string]file{"usr/bin/tool": {"c", "1"}}, managed.Base{Runtime: "python3.12"}, config.Cmd, "", 0, "", managed.ErrElsewhere},
		"no handler":                  {nil, managed.Base{Runtime: "python3.12"}, nil, "", 0, "", managed.ErrHandler},
	} {
		t.Run(name, func(t *testing.T) {
			all := map[string]file{}
			for _, files := range []map[string]file{base, c.above} {
				for p, f := range files {
					all[p] = f
				}
			}
			config := config
			config.Cmd = c.cmd
			packed, err := managed.Pack(tree(t, all), tree(t, base), c.base, config)
			if !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			var files []string
			for e := range packed.Tree.All() {
				if e.Type == layers.File {
					files = append(files, e.Path)
				}
			}
			if got := strings.Join(files, " "); got != c.files || len(packed.LeftOut) != c.leftOut || packed.Handler != c.handler || !slices.Equal(packed.Env, []string{"STAGE=a"}) {
				t.Errorf("%q, left out %v, handler %q, env %v", got, packed.LeftOut, packed.Handler, packed.Env)
			}
		})
	}
}
