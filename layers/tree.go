package layers

import (
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
)

// maxLinks is how many symbolic links one lookup follows: MAXSYMLINKS of
// Linux's namei.
const maxLinks = 40

// Tree is a root file system: entries in a fixed order, a directory before
// what it holds, everything under a directory in one run. It does not change.
type Tree struct {
	entries []Entry
}

// NewTree returns the tree of entries, in whatever order they come; it keeps
// the slice. Every path must be clean, occur once and lie in a directory that
// is an entry too.
func NewTree(entries []Entry) (*Tree, error) {
	slices.SortFunc(entries, func(a, b Entry) int { return compare(a.Path, b.Path) })
	t := &Tree{entries: entries}
	for i, e := range entries {
		if e.Path == "." || !fs.ValidPath(strings.ToValidUTF8(e.Path, "_")) || strings.ContainsRune(e.Path, 0) {
			return nil, fmt.Errorf("%w: path %q is not clean and relative", ErrInvalid, e.Path)
		}
		if i > 0 && entries[i-1].Path == e.Path {
			return nil, fmt.Errorf("%w: %s occurs twice", ErrInvalid, e.Path)
		}
		if (e.Type == File) != (e.Content != nil) {
			return nil, fmt.Errorf("%w: %s is a file without content or has content without being one", ErrInvalid, e.Path)
		}
		if dir := path.Dir(e.Path); dir != "." {
			if parent, ok := t.Get(dir); !ok || parent.Type != Dir {
				return nil, fmt.Errorf("%w: %s lies in no directory", ErrInvalid, e.Path)
			}
		}
	}
	return t, nil
}

// compare orders paths so that a directory's contents follow it directly: as
// if a slash came before every other byte.
func compare(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		case a[i] < b[i]:
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}

// Len returns the number of entries.
func (t *Tree) Len() int { return len(t.entries) }

// All returns every entry in order.
func (t *Tree) All() iter.Seq[Entry] { return slices.Values(t.entries) }

// Get returns the entry at exactly that path, following no link.
func (t *Tree) Get(p string) (Entry, bool) {
	i, ok := t.find(p)
	if !ok {
		return Entry{}, false
	}
	return t.entries[i], true
}

// Under returns everything below a directory, in order, without the directory
// itself; "." is the root.
func (t *Tree) Under(dir string) iter.Seq[Entry] {
	if dir == "." {
		return t.All()
	}
	i, ok := t.find(dir)
	if !ok {
		return func(func(Entry) bool) {}
	}
	end := i + 1
	for end < len(t.entries) && strings.HasPrefix(t.entries[end].Path, dir+"/") {
		end++
	}
	return slices.Values(t.entries[i+1 : end])
}

func (t *Tree) find(p string) (int, bool) {
	return slices.BinarySearchFunc(t.entries, p, func(e Entry, p string) int { return compare(e.Path, p) })
}

// Resolve returns the entry that a program whose root directory is the tree
// would open as p: symbolic links are followed, absolute ones from the tree's
// root, and ".." ends at that root. A relative p starts there too. The root
// itself is a Dir with the path ".".
func (t *Tree) Resolve(p string) (Entry, error) {
	e, _, err := t.walk(".", p)
	if err != nil {
		return Entry{}, fmt.Errorf("look up %s: %w", p, err)
	}
	return e, nil
}

// Leaves reports whether following the symbolic link e step by step goes above
// the tree's root, where a chroot would stop it and a moved tree would not.
func (t *Tree) Leaves(e Entry) bool {
	_, left, _ := t.walk(path.Dir(e.Path), e.Link)
	return left
}

// walk follows p from the directory dir; left says that a ".." was met at the
// root on the way.
func (t *Tree) walk(dir, p string) (e Entry, left bool, err error) {
	at, links := Entry{Path: dir, Type: Dir}, 0
	rest := p
	for rest != "" || at.Type == Symlink {
		if at.Type == Symlink {
			if links++; links > maxLinks {
				return Entry{}, left, ErrLoop
			}
			if rest != "" {
				rest = "/" + rest
			}
			rest = at.Link + rest
			at = Entry{Path: path.Dir(at.Path), Type: Dir}
		}
		if strings.HasPrefix(rest, "/") {
			at = Entry{Path: ".", Type: Dir}
			rest = strings.TrimLeft(rest, "/")
			continue
		}
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		rest = strings.TrimLeft(rest, "/")
		if at.Type != Dir {
			return Entry{}, left, ErrNotDir
		}
		switch name {
		case "", ".":
		case "..":
			left = left || at.Path == "."
			at = Entry{Path: path.Dir(at.Path), Type: Dir}
		default:
			next, ok := t.Get(path.Join(at.Path, name))
			if !ok {
				return Entry{}, left, fs.ErrNotExist
			}
			at = next
		}
	}
	if at.Type == Dir && at.Path != "." {
		at, _ = t.Get(at.Path)
	}
	return at, left, nil
}
