package layers

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type text string

func (c text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(c))), nil }

func dir(p string) Entry         { return Entry{Path: p, Type: Dir, Mode: 0o755} }
func file(p string) Entry        { return Entry{Path: p, Type: File, Mode: 0o644, Content: text("")} }
func link(p, to string) Entry    { return Entry{Path: p, Type: Symlink, Link: to} }
func must(e ...Entry) *Tree      { t, err := NewTree(e); check(err); return t }
func paths(t *Tree) (p []string) { return under(t, ".") }

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func under(t *Tree, d string) (p []string) {
	for e := range t.Under(d) {
		p = append(p, e.Path)
	}
	return p
}

func TestTreeKeepsADirectoryTogether(t *testing.T) {
	tree := must(file("a-b"), file("a/z/y"), dir("a"), dir("a/z"), file("b"), file("a/x"), file("a0"))
	want := []string{"a", "a/x", "a/z", "a/z/y", "a-b", "a0", "b"}
	if diff := cmp.Diff(want, paths(tree)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a/x", "a/z", "a/z/y"}, under(tree, "a")); diff != "" {
		t.Errorf("under a (-want +got)\n%s", diff)
	}
	if got := under(tree, "missing"); got != nil {
		t.Errorf("under a missing directory: %v", got)
	}
}

func TestNewTreeRefuses(t *testing.T) {
	for name, entries := range map[string][]Entry{
		"twice":           {file("a"), file("a")},
		"no parent":       {file("a/b")},
		"parent a file":   {file("a"), file("a/b")},
		"parent a link":   {link("a", "b"), file("a/b"), dir("b")},
		"root":            {dir(".")},
		"absolute":        {file("/a")},
		"unclean":         {dir("a"), file("a//b")},
		"above":           {file("../a")},
		"NUL":             {file("a\x00")},
		"without content": {{Path: "a", Type: File}},
		"link with it":    {{Path: "a", Type: Symlink, Content: text("")}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := NewTree(entries); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid", err)
			}
		})
	}
	must(file("not-utf8-\xff"))
}

func TestResolve(t *testing.T) {
	tree := must(
		dir("usr"), dir("usr/lib"), file("usr/lib/so"), link("lib", "usr/lib"), link("abs", "/usr/lib/"),
		link("chain", "lib"), link("up", "../../../usr/./lib/../lib/so"), link("self", "self"), link("gone", "nowhere"),
		link("usr/lib/root", "/"), link("through", "usr/lib/so/x"), link("usr/back", "../lib/so"),
	)
	for p, want := range map[string]string{
		"usr/lib/so": "usr/lib/so", "/usr/lib/so": "usr/lib/so", "lib/so": "usr/lib/so", "abs/so": "usr/lib/so",
		"chain/so": "usr/lib/so", "up": "usr/lib/so", "..": ".", "/": ".", "": ".", "usr/lib/root/lib/so": "usr/lib/so",
		"usr/../../usr": "usr", "lib/..": "usr", "usr//lib/": "usr/lib", "usr/back": "usr/lib/so",
	} {
		e, err := tree.Resolve(p)
		if err != nil || e.Path != want {
			t.Errorf("Resolve(%q) = %q, %v, want %q", p, e.Path, err, want)
		}
	}
	for p, want := range map[string]error{
		"self": ErrLoop, "self/x": ErrLoop, "gone": fs.ErrNotExist, "through": ErrNotDir, "usr/lib/so/..": ErrNotDir, "nope/x": fs.ErrNotExist,
	} {
		if e, err := tree.Resolve(p); !errors.Is(err, want) {
			t.Errorf("Resolve(%q) = %q, %v, want %v", p, e.Path, err, want)
		}
	}
	for p, want := range map[string]bool{"up": true, "lib": false, "usr/back": false, "abs": false} {
		if e, _ := tree.Get(p); tree.Leaves(e) != want {
			t.Errorf("Leaves(%s) = %v", p, !want)
		}
	}
}

func FuzzResolve(f *testing.F) {
	f.Add("a/b", "../c", "/x/../y")
	f.Add("a", "a", "a/a/a")
	f.Fuzz(func(t *testing.T, a, b, p string) {
		tree, err := NewTree([]Entry{dir("d"), link("d/a", a), link("b", b), file("d/f")})
		if err != nil {
			return
		}
		if e, err := tree.Resolve(p); err == nil && e.Path != "." {
			if _, ok := tree.Get(e.Path); !ok {
				t.Errorf("Resolve(%q) = %q, which is no entry", p, e.Path)
			}
		}
	})
}
