package cut_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/cut"
)

const prefix = "/var/task"

// text is content without a key.
type text string

func (t text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(t))), nil }

// large is content that is worth a link.
func large(s string) string { return s + strings.Repeat("x", 40_000) }

// root is a tree by paths: "" for a directory, "-> target" for a link.
type root map[string]string

func (r root) tree(t testing.TB) *layers.Tree {
	t.Helper()
	var list []layers.Entry
	seen := map[string]bool{".": true}
	var dirs func(p string)
	dirs = func(p string) {
		if !seen[p] {
			seen[p] = true
			dirs(path.Dir(p))
			list = append(list, layers.Entry{Path: p, Type: layers.Dir, Mode: 0o755})
		}
	}
	for p, content := range r {
		switch target, link := strings.CutPrefix(content, "-> "); {
		case content == "":
			dirs(p)
			continue
		case link:
			list = append(list, layers.Entry{Path: p, Type: layers.Symlink, Link: target})
		default:
			list = append(list, layers.Entry{Path: p, Type: layers.File, Mode: 0o644, Size: int64(len(content)), Content: text(content)})
		}
		dirs(path.Dir(p))
	}
	tree, err := layers.NewTree(list)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// over lays changes over a root: "gone" removes.
func (r root) over(changes root) root {
	out := root{}
	for p, c := range r {
		out[p] = c
	}
	for p, c := range changes {
		if c != "" {
			for old := range out {
				if old == p || strings.HasPrefix(old, p+"/") {
					delete(out, old)
				}
			}
		}
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if out[dir] != "" {
				delete(out, dir)
			}
		}
		if c != "gone" {
			out[p] = c
		}
	}
	return out
}

// unpacked is what Lambda makes of the parts: the layers over one another at
// /opt, the function's zip at /var/task.
func unpacked(t testing.TB, p *cut.Parts) *layers.Tree {
	t.Helper()
	all := map[string]layers.Entry{}
	add := func(at string, tree *layers.Tree) {
		for e := range tree.All() {
			e.Path = at + "/" + e.Path
			if old, ok := all[e.Path]; ok && (old.Type != e.Type || e.Type == layers.Symlink && old.Link != e.Link) {
				t.Errorf("%s changes its type from layer to layer", e.Path)
			}
			all[e.Path] = e
		}
	}
	for _, l := range p.Layers {
		if l != nil {
			add("opt", l)
		}
	}
	add("var/task", p.Function)
	for _, dir := range []string{"opt", "var", "var/task"} {
		all[dir] = layers.Entry{Path: dir, Type: layers.Dir, Mode: 0o755}
	}
	var list []layers.Entry
	for _, e := range all {
		list = append(list, e)
	}
	tree, err := layers.NewTree(list)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// names are those in a directory.
func names(tree *layers.Tree, dir string) string {
	var list []string
	for e := range tree.Under(dir) {
		if path.Dir(e.Path) == dir {
			list = append(list, path.Base(e.Path))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func read(t testing.TB, e layers.Entry) string {
	t.Helper()
	r, err := e.Content.Open()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// checkSame compares what a program sees under the prefix with the image.
func checkSame(t testing.TB, full, on *layers.Tree) {
	t.Helper()
	for e := range full.All() {
		want, wantErr := full.Resolve(e.Path)
		got, gotErr := on.Resolve(prefix + "/" + e.Path)
		if wantErr != nil {
			continue // a link to nothing, or in a loop: it may lead wherever
		}
		if gotErr != nil {
			t.Errorf("%s: %v", e.Path, gotErr)
			continue
		}
		switch {
		case got.Type != want.Type || got.Mode != want.Mode:
			t.Errorf("%s is %v %v, in the image %v %v", e.Path, got.Type, got.Mode, want.Type, want.Mode)
		case want.Type == layers.File && read(t, got) != read(t, want):
			t.Errorf("%s has other bytes than in the image", e.Path)
		case want.Type == layers.Dir && want.Path != "." && names(on, got.Path) != names(full, want.Path):
			t.Errorf("%s holds %q, in the image %q", e.Path, names(on, got.Path), names(full, want.Path))
		}
	}
}

func TestCut(t *testing.T) {
	base := root{
		"usr/lib/libc.so": large("c"), "usr/lib/liba.so": "-> libc.so", "usr/lib/x/deep": large("d"), "usr/lib/x/back": "-> ../libc.so",
		"usr/bin/tool": large("t"), "usr/bin/alt": "-> ../../etc/alternatives/tool", "etc/alternatives/tool": "-> ../../usr/bin/tool", "lib": "-> usr/lib",
		"etc/passwd": "root", "home/app/index.py": "import handler", "usr/bin/s.py": large("#!"),
	}
	for _, c := range []struct {
		name   string
		layers []root // of changes, the function's last
		links  []string
		files  []string
		absent []string
		own    []string
		work   string
	}{
		{name: "only adds", layers: []root{{"home/app/handler.py": "x"}}, links: []string{"usr", "etc"}, files: []string{"home/app/index.py", "home/app/handler.py"}},
		{name: "changes", layers: []root{{"usr/lib/libc.so": large("new")}}, links: []string{"usr/bin", "usr/lib/x", "etc"}, files: []string{"usr/lib/libc.so"}},
		{name: "removes", layers: []root{{"usr/lib/x/deep": "gone"}}, links: []string{"usr/bin", "usr/lib/libc.so"}, absent: []string{"usr/lib/x/deep"}},
		{name: "removes a directory", layers: []root{{"usr/lib/x": "gone"}}, links: []string{"usr/bin", "usr/lib/libc.so"}, absent: []string{"usr/lib/x"}},
		{name: "file for a directory", layers: []root{{"usr/lib/x": "file"}}, files: []string{"usr/lib/x"}},
		{name: "link to what is changed", layers: []root{{"etc/alternatives/tool": "-> ../../usr/bin/other", "usr/bin/other": large("o")}}, links: []string{"usr/lib", "usr/bin/tool"}},
		{name: "sources stay together", layers: []root{{"usr/bin/new.py": "n"}}, files: []string{"usr/bin/s.py"}, links: []string{"usr/bin/tool"}},
		{name: "own files", layers: []root{{"home/x": "x"}}, own: []string{"usr/bin/tool"}, files: []string{"usr/bin/tool"}, links: []string{"usr/lib"}},
		{name: "working directory in the system", layers: []root{{"usr/src/app/a": large("a")}, {"usr/src/app/h": "h"}}, work: "/usr/src/app", files: []string{"usr/src/app/a"}, links: []string{"usr/lib"}},
		{name: "removed between the layers", layers: []root{{"usr/lib/x/deep": "gone"}, {"h": "h"}}, absent: []string{"usr/lib/x/deep"}, links: []string{"usr/bin"}},
		{name: "another type between the layers", layers: []root{{"usr/lib/x": large("file"), "usr/lib/liba.so": "-> other"}, {"h": "h"}}, files: []string{"usr/lib/x"}},
		{name: "modules that change", layers: []root{{"usr/lib/node_modules/a/big": large("a")}, {"usr/lib/node_modules/b/big": large("b")}}, files: []string{"usr/lib/node_modules/a/big"}},
		{name: "modules that do not", layers: []root{{"usr/lib/node_modules/a/big": large("a")}, {"h": "b"}}, links: []string{"usr"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, bases := base, []*layers.Tree{base.tree(t)}
			for i, changes := range c.layers {
				now = now.over(changes)
				if i < len(c.layers)-1 {
					bases = append(bases, now.tree(t))
				}
			}
			full := now.tree(t)
			parts, err := cut.Cut(full, bases, cut.Options{Prefix: prefix, Own: c.own, Work: c.work})
			if err != nil {
				t.Fatal(err)
			}
			checkSame(t, full, unpacked(t, parts))
			for _, p := range c.links {
				if e, _ := parts.Function.Get(p); e.Type != layers.Symlink || e.Link != cut.Root+"/"+p {
					t.Errorf("%s is %v %q, not a link to the layers", p, e.Type, e.Link)
				}
			}
			for _, p := range c.files {
				if e, _ := parts.Function.Get(p); e.Type != layers.File {
					t.Errorf("%s is %v %q, not a file", p, e.Type, e.Link)
				}
			}
			for _, p := range c.absent {
				if e, err := unpacked(t, parts).Resolve(prefix + "/" + p); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is there: %+v, %v", p, e, err)
				}
			}
		})
	}
}

// TestLayersDependOnTheirBaseOnly cuts two functions of one base.
func TestLayersDependOnTheirBaseOnly(t *testing.T) {
	base := root{"usr/lib/libc.so": large("c"), "usr/bin/x": large("x"), "etc/passwd": "p", "home/app/x": large("x")}
	var first string
	for _, changes := range []root{{"home/app/h": "h"}, {"usr": "gone", "etc/passwd": large("q")}} {
		parts, err := cut.Cut(base.over(changes).tree(t), []*layers.Tree{base.tree(t)}, cut.Options{Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for e := range parts.Layers[0].All() {
			list = append(list, fmt.Sprint(e.Path, e.Type, e.Size))
		}
		if now := strings.Join(list, "\n"); first == "" {
			first = now
		} else if now != first {
			t.Errorf("%s\n---\n%s", first, now)
		}
		if strings.Contains(first, "home") {
			t.Error("what is the function's is in the layer of its base")
		}
	}
}

// TestRandomCuts makes images at random, with links, removals and changes of
// type, and looks at them from where a program would.
func TestRandomCuts(t *testing.T) {
	dirs := []string{"usr", "usr/lib", "usr/lib/a", "usr/lib/a/b", "etc", "home", "home/app", "opt/x", "var/lib/y", "var/www"}
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		change := func() root {
			r := root{}
			for range 1 + rnd.IntN(8) {
				p := dirs[rnd.IntN(len(dirs))] + "/" + string(rune('a'+rnd.IntN(4)))
				switch rnd.IntN(6) {
				case 0:
					r[p] = "gone"
				case 1:
					r[p] = ""
				case 2:
					up := strings.Repeat("../", rnd.IntN(strings.Count(p, "/")+1))
					r[p] = "-> " + up + []string{"a", "b", "lib/a", "../a", "usr/lib", "a/../b"}[rnd.IntN(6)]
				case 3:
					r[p] = fmt.Sprint("small", rnd.IntN(3))
				default:
					r[p] = large(fmt.Sprint(rnd.IntN(3)))
				}
			}
			return r
		}
		now := root{}.over(change()).over(change())
		var bases []*layers.Tree
		for range 1 + rnd.IntN(3) {
			bases = append(bases, clean(now).tree(t))
			now = now.over(change())
		}
		full := inside(clean(now).tree(t))
		parts, err := cut.Cut(full, bases, cut.Options{Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		if checkSame(t, full, unpacked(t, parts)); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// clean leaves out what lies below something that is no directory.
func clean(r root) root {
	out := root{}
	for p, c := range r {
		ok := true
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			ok = ok && r[dir] == ""
		}
		if ok {
			out[p] = c
		}
	}
	return out
}

// inside is a tree without links that lead out of it, which relocation has
// changed.
func inside(tree *layers.Tree) *layers.Tree {
	var list []layers.Entry
	for e := range tree.All() {
		if e.Type == layers.Symlink && tree.Leaves(e) {
			e.Link = "nowhere"
		}
		list = append(list, e)
	}
	tree, _ = layers.NewTree(list)
	return tree
}
