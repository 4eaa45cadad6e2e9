package flatten

import (
	"fmt"
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// Names by which a layer removes something (OCI image-spec layer.md, "Whiteouts"): whiteout
// before the name of what goes; opaque for all that lower layers have in a
// directory. Other names that begin with reserved are aufs's own bookkeeping.
const (
	whiteout = ".wh."
	reserved = ".wh..wh."
	opaque   = ".wh..wh..opq"
)

// clean makes the name of an entry relative to the root: "/a", "./a" and "a"
// are the same. A name that leads above the root is refused.
func clean(name string) (string, error) {
	switch {
	case name == "":
		return "", fmt.Errorf("%w: empty name", ErrUnsafePath)
	case strings.ContainsRune(name, 0):
		return "", fmt.Errorf("%w: NUL in the name", ErrUnsafePath)
	case len(name) > maxPath:
		return "", fmt.Errorf("%w: name of %d bytes", ErrLimit, len(name))
	}
	depth := 0
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return "", fmt.Errorf("%w: leads out of the image", ErrUnsafePath)
			}
		default:
			if depth++; len(part) > maxName {
				return "", fmt.Errorf("%w: name of %d bytes", ErrLimit, len(part))
			}
		}
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/") + dot(depth), nil
}

// dot is the name of the root.
func dot(depth int) string {
	if depth == 0 {
		return "."
	}
	return ""
}

func checkTarget(target string) error {
	switch {
	case target == "" || strings.ContainsRune(target, 0):
		return fmt.Errorf("%w: symbolic link to %q", ErrLink, target)
	case len(target) >= maxPath:
		return fmt.Errorf("%w: symbolic link to a name of %d bytes", ErrLimit, len(target))
	}
	return nil
}

// directory returns the directory p below root. Symbolic links on the way are
// followed, as tar does when it unpacks into an empty directory, but never
// above the root. A directory that is missing is made, or when make is false the result is nil.
func (root *node) directory(p string, make bool) (*node, error) {
	at := []*node{root}
	rest, steps := p, 0
	for rest != "" {
		if steps++; steps > maxSteps || len(rest) > 2*maxPath {
			return nil, fmt.Errorf("%w: more than %d directories and links deep: %w", ErrUnsafePath, maxSteps, layers.ErrLoop)
		}
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			if len(at) == 1 {
				return nil, fmt.Errorf("%w: leads out of the image through a symbolic link", ErrUnsafePath)
			}
			at = at[:len(at)-1]
			continue
		}
		dir := at[len(at)-1]
		n := dir.children[name]
		if n == nil {
			if !make {
				return nil, nil
			}
			n = newDir()
			dir.children[name] = n
		}
		switch n.Type {
		case layers.Dir:
			at = append(at, n)
		case layers.Symlink:
			if strings.HasPrefix(n.Link, "/") {
				at = at[:1]
			}
			rest = n.Link + "/" + rest
		default:
			return nil, fmt.Errorf("%w: lies under the file %s", ErrUnsafePath, name)
		}
	}
	return at[len(at)-1], nil
}

// remove notes a whiteout. It works on lower layers only, wherever in the tar it
// comes.
func (x *index) remove(dir *node, name string) error {
	base := path.Base(name)
	if base == opaque {
		dir.opaque = true
		return nil
	}
	if strings.HasPrefix(base, reserved) {
		x.leftOut = append(x.leftOut, layers.LeftOut{Path: name, Layer: x.layer, Reason: "bookkeeping of aufs"})
		return nil
	}
	gone := strings.TrimPrefix(base, whiteout)
	if gone == "" || gone == "." || gone == ".." {
		return fmt.Errorf("%w: whiteout of %q", ErrUnsafePath, gone)
	}
	if dir.whiteouts == nil {
		dir.whiteouts = map[string]bool{}
	}
	dir.whiteouts[gone] = true
	return nil
}
