package flatten

import (
	"fmt"
	"path"

	"github.com/faas-lambda/faas-lambda/layers"
)

// node is an entry of a layer, or of the layers merged so far. Its Path is
// empty until entries is called.
type node struct {
	layers.Entry
	children  map[string]*node // of a Dir
	implied   bool             // a Dir that has no entry of its own, only contents
	leftOut   bool             // hides what is below it, and is not in the result
	target    string           // of a hard link whose file is in a lower layer
	opaque    bool             // hides what lower layers have in this Dir
	whiteouts map[string]bool  // names that this Dir hides in lower layers
}

func newDir() *node {
	return &node{
		Entry:    layers.Entry{Type: layers.Dir, Mode: 0o755},
		children: map[string]*node{}, implied: true,
	}
}

// resolveLinks gives the layer's hard links to lower layers their files. lower
// is everything below, as it was before this layer changes it.
func (x *index) resolveLinks(lower *node) error {
	for _, link := range x.links {
		n, err := lower.file(link.target)
		if err != nil {
			return fmt.Errorf("hard link to %q: %w", link.target, err)
		}
		if n == nil || n.Type == layers.Dir {
			return fmt.Errorf("%w: hard link to %q, which is no file of this or a lower layer", ErrLink, link.target)
		}
		link.Entry, link.leftOut, link.target = n.Entry, n.leftOut, ""
	}
	x.links = nil
	return nil
}

// file returns the node at path p below root, or nil. As for link(2), symbolic
// links on the way are followed, the last part is not.
func (root *node) file(p string) (*node, error) {
	dir, err := root.directory(path.Dir(p), false)
	if dir == nil || err != nil {
		return nil, err
	}
	return dir.children[path.Base(p)], nil
}

// apply lays the directory upper over lower, as overlayfs would: what is a
// directory in both is merged, everything else in upper replaces, whiteouts
// remove what lower has and nothing that upper has.
func apply(lower, upper *node) {
	if upper.opaque {
		clear(lower.children)
	}
	for name := range upper.whiteouts {
		delete(lower.children, name)
	}
	for name, n := range upper.children {
		old := lower.children[name]
		if old == nil || old.Type != layers.Dir || n.Type != layers.Dir {
			lower.children[name] = n
			continue
		}
		if !n.implied {
			old.Mode, old.implied = n.Mode, false
		}
		apply(old, n)
	}
}

// entries appends everything below the directory n, whose path is dir.
func (n *node) entries(list []layers.Entry, dir string) []layers.Entry {
	for name, child := range n.children {
		if child.leftOut {
			continue
		}
		e := child.Entry
		e.Path = path.Join(dir, name)
		list = append(list, e)
		if e.Type == layers.Dir {
			list = child.entries(list, e.Path)
		}
	}
	return list
}
