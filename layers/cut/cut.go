// Package cut divides a root that was moved into what Lambda layers hold, for
// all functions that have the lower layers of an image in common, and what a
// function's own zip holds: its own files, and links to those of the Lambda
// layers. It reads no file but to compare two.
//
// Everything stays where it was moved to: Lambda's layers lie below one
// directory of /opt, and the zip links whole directories of them, as far up as
// they are the same. A directory in which the function adds, changes or removes
// anything is a real one, so that what an image's layer removes is not there,
// wherever the cut goes.
package cut

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// Root is the directory of Lambda's layers that holds an image's root. Lambda
// itself looks at /opt/bin, /opt/lib and /opt/extensions (docs.aws.amazon.com/
// lambda, "Layer paths"): an image's directories of these names must not be
// there.
const Root = "/opt/image"

// Options of Cut.
type Options struct {
	Prefix string   // where the tree was moved to
	Own    []string // files that must be real ones in the function's zip
	Work   string   // the image's working directory, all of which is the function's; may be empty
}

// Parts are the pieces.
type Parts struct {
	Function *layers.Tree   // relative to the prefix
	Layers   []*layers.Tree // relative to /opt, the lowest first; nil where there is nothing to share
}

// Cut divides full, a whole image that was moved. Each of bases is what relocate
// makes of some of the image's lower layers alone, each with more than the one
// before. The Layers of the result depend on bases and the prefix only.
func Cut(full *layers.Tree, bases []*layers.Tree, opts Options) (*Parts, error) {
	parts := &Parts{}
	shared := newUnion()
	var below *layers.Tree
	for _, base := range bases {
		share, err := shared.add(base, below, opts.Prefix)
		if err != nil {
			return nil, err
		}
		parts.Layers = append(parts.Layers, share)
		below = base
	}
	f := &function{full: full, shared: shared, opts: opts, whole: map[string]bool{}}
	var err error
	if parts.Function, err = f.cut(); err != nil {
		return nil, fmt.Errorf("cut image: %w", err)
	}
	return parts, nil
}

// systemDirs are where an image's system lies. Programs find what lies there by
// its path. Elsewhere lie applications: many find their own parts by the real
// path of one of them, so that they must be together.
var systemDirs = []string{"bin", "etc", "lib", "lib32", "lib64", "libx32", "opt", "sbin", "usr", "var/lib"}

func inSystem(p string) bool {
	for _, dir := range systemDirs {
		if p == dir || strings.HasPrefix(p, dir+"/") || strings.HasPrefix(dir, p+"/") {
			return true
		}
	}
	return false
}

// smallest is how large a file must be to be worth a link of its own.
const smallest = 32 << 10

// function is the cut of a function's zip.
type function struct {
	full   *layers.Tree
	shared *union
	opts   Options
	whole  map[string]bool // directories that are the same as those of the layers
	list   []layers.Entry
}

func (f *function) cut() (*layers.Tree, error) {
	children := map[string][]layers.Entry{}
	for e := range f.full.All() {
		if e.Type == layers.Symlink {
			e.Link = settle(f.full, e, f.opts.Prefix)
		}
		children[path.Dir(e.Path)] = append(children[path.Dir(e.Path)], e)
	}
	for _, e := range children["."] {
		if e.Type != layers.Dir {
			continue
		}
		if _, err := f.compare(e, children); err != nil {
			return nil, err
		}
	}
	if err := f.emit(".", children, true); err != nil {
		return nil, err
	}
	return layers.NewTree(f.list)
}

// compare finds out whether a directory of the image is the same as that of the
// layers, with everything in it.
func (f *function) compare(dir layers.Entry, children map[string][]layers.Entry) (bool, error) {
	if !inSystem(dir.Path) {
		return false, nil
	}
	same := !f.working(dir.Path) && f.shared.same(dir) && len(children[dir.Path]) == f.shared.count[dir.Path]
	for _, e := range children[dir.Path] {
		equal := false
		var err error
		switch {
		case e.Type == layers.Dir:
			equal, err = f.compare(e, children)
		case same:
			equal, err = f.equal(e)
		}
		if err != nil {
			return false, err
		}
		same = same && equal
	}
	f.whole[dir.Path] = same
	return same, nil
}

// working tells whether a directory is the working directory, or in it, or
// above it.
func (f *function) working(dir string) bool {
	work := strings.TrimPrefix(path.Clean("/"+f.opts.Work), "/")
	return work != "" && (dir == work || strings.HasPrefix(dir, work+"/") || strings.HasPrefix(work, dir+"/"))
}

// equal tells whether the layers have just this file or link.
func (f *function) equal(e layers.Entry) (bool, error) {
	if slices.Contains(f.opts.Own, e.Path) {
		return false, nil
	}
	return f.shared.equal(e)
}

// emit puts a directory's contents into the function's zip. Without links,
// nothing in it is linked.
func (f *function) emit(dir string, children map[string][]layers.Entry, links bool) error {
	for _, e := range children[dir] {
		switch {
		case e.Type == layers.Dir && links && f.whole[e.Path]:
			e = layers.Entry{Path: e.Path, Type: layers.Symlink, Link: Root + "/" + e.Path}
		case e.Type == layers.Dir:
			// Node's modules find one another by their real paths
			// (nodejs.org/api/modules.html, "All together").
			f.list = append(f.list, e)
			if err := f.emit(e.Path, children, links && path.Base(e.Path) != "node_modules" && inSystem(e.Path) && !f.inside(e.Path)); err != nil {
				return err
			}
			continue
		case e.Type == layers.File && links && e.Size >= smallest && !script(e):
			equal, err := f.equal(e)
			if err != nil {
				return err
			}
			if equal {
				e = layers.Entry{Path: e.Path, Type: layers.Symlink, Link: Root + "/" + e.Path}
			}
		}
		f.list = append(f.list, e)
	}
	return nil
}

// inside tells whether a directory is the working directory or in it.
func (f *function) inside(dir string) bool {
	work := strings.TrimPrefix(path.Clean("/"+f.opts.Work), "/")
	return work != "" && (dir == work || strings.HasPrefix(dir, work+"/"))
}

// sources are what interpreters read: they look for more of it next to the real
// path.
var sources = []string{".py", ".pyc", ".js", ".mjs", ".cjs", ".json", ".rb", ".php", ".pl", ".pm", ".lua", ".tcl", ".r"}

// script tells whether an interpreter reads a file.
func script(e layers.Entry) bool {
	if slices.Contains(sources, strings.ToLower(path.Ext(e.Path))) {
		return true
	}
	h, ok := e.Content.(layers.HeadedContent)
	return ok && strings.HasPrefix(string(h.Head()), "#!")
}

// permissions are what of a mode matters on Lambda.
func permissions(e layers.Entry) fs.FileMode { return e.Mode & fs.ModePerm }
