package relocate

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// Base moves the root that an image's lower layers make, which starts nothing
// and has no configuration: what Relocate makes of the same files in a whole
// image is mostly the same. What relocation adds is not in the result, because it
// depends on everything there is.
func Base(tree *layers.Tree, arch string, opts Options) (*layers.Tree, error) {
	m := newMover(tree, layers.Config{Arch: arch}, opts)
	if err := m.move(); err != nil {
		return nil, fmt.Errorf("move base of image under %s: %w", opts.Prefix, err)
	}
	for p := range m.changed {
		if _, ok := tree.Get(p); !ok {
			delete(m.changed, p)
		}
	}
	moved, err := layers.NewTree(m.entries())
	if err != nil {
		return nil, fmt.Errorf("move base of image under %s: %w", opts.Prefix, err)
	}
	return moved, nil
}

// Anchored are programs of a moved tree that look for their files by where they
// themselves lie, once all links are followed: they must be real files in the
// package. env is what spares one that.
type Anchored struct {
	Paths []string
	Env   []string // NAME=value
}

var pythonProgram = regexp.MustCompile(`^(.*?)/?bin/python[0-9]+(?:\.[0-9]+)*t?$`)

// Anchors finds them in the image's own tree. Python finds its library, and with
// it everything that was installed, by the real path of its program
// (docs.python.org/3/using/cmdline.html, "PYTHONHOME"; Modules/getpath.py), and
// programs with $ORIGIN in their search path find libraries so (ld.so(8)).
func Anchors(tree *layers.Tree, moved *Result, opts Options) (Anchored, error) {
	var found Anchored
	var pythons, homes []string
	environments := false
	for e := range tree.All() {
		environments = environments || path.Base(e.Path) == "pyvenv.cfg"
		if m := pythonProgram.FindStringSubmatch(e.Path); m != nil && e.Type == layers.File {
			pythons, homes = append(pythons, e.Path), append(homes, m[1])
		}
	}
	_, set := lookup(moved.Start.Env, "PYTHONHOME")
	switch {
	case len(pythons) == 1 && !environments && !set:
		found.Env = append(found.Env, "PYTHONHOME="+path.Join(opts.Prefix, homes[0]))
	case len(pythons) > 0:
		found.Paths = pythons
	}
	m := newMover(tree, layers.Config{}, opts)
	for _, p := range moved.Report.Programs {
		e, ok := tree.Get(p)
		if !ok {
			continue
		}
		f, err := m.elf(e)
		if err != nil {
			return Anchored{}, err
		}
		for _, dir := range f.Runpath {
			if strings.Contains(dir, "ORIGIN") {
				found.Paths = append(found.Paths, p)
				break
			}
		}
	}
	return found, nil
}
