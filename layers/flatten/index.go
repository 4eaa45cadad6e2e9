package flatten

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/press"
)

// index is what one layer says: its files, and what it removes from the layers
// below.
type index struct {
	layer   string // digest
	root    *node
	links   []*node // hard links to files of lower layers
	leftOut []layers.LeftOut
	xattrs  int
	used    usage // of the budget
	budget  *budget
	cached  bool

	// What encode made of the index, and the source of its contents, as long as
	// there is no root.
	encoded []byte
	source  *press.Source
}

// expand returns the index with its nodes.
func (x *index) expand() (*index, error) {
	if x.root != nil {
		return x, nil
	}
	full, err := decodeIndex(x.encoded, x.source)
	if err != nil {
		return nil, err
	}
	full.setLayer(x.layer)
	return full, nil
}

func (x *index) setLayer(digest string) {
	x.layer = digest
	for i := range x.leftOut {
		x.leftOut[i].Layer = digest
	}
}

// store takes the content of a file from r.
type store func(ctx context.Context, r io.Reader, size int64) (layers.Content, error)

// read reads the entries of a tar.
func (x *index) read(ctx context.Context, r io.Reader, add store) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue // comments of git archive and the like, no entry
		}
		if err := x.budget.entry(&x.used); err != nil {
			return err
		}
		if err := x.entry(ctx, h, t, add); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, damaged(err))
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
}

// damaged marks what archive/tar says of a tar that makes no sense.
func damaged(err error) error {
	for _, cause := range []error{tar.ErrHeader, tar.ErrFieldTooLong, tar.ErrInsecurePath, io.ErrUnexpectedEOF} {
		if errors.Is(err, cause) && !errors.Is(err, ErrCorrupt) {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	return err
}

// entry takes one entry of the tar into the index.
func (x *index) entry(ctx context.Context, h *tar.Header, r io.Reader, add store) error {
	name, err := clean(h.Name)
	if err != nil {
		return err
	}
	if name == "." {
		if h.Typeflag != tar.TypeDir {
			return fmt.Errorf("%w: the root must be a directory", ErrUnsafePath)
		}
		return nil
	}
	dir, err := x.root.directory(path.Dir(name), true)
	if err != nil {
		return err
	}
	base := path.Base(name)
	if strings.HasPrefix(base, whiteout) {
		return x.remove(dir, name)
	}
	n, err := x.node(ctx, h, r, add)
	if err != nil {
		return err
	}
	if old := dir.children[base]; old != nil && old.Type == layers.Dir && n.Type == layers.Dir {
		old.Mode, old.implied = n.Mode, false
		return nil
	}
	dir.children[base] = n
	return nil
}

// node makes the node of an entry.
func (x *index) node(ctx context.Context, h *tar.Header, r io.Reader, add store) (*node, error) {
	x.countXattrs(h)
	n := &node{Entry: layers.Entry{Mode: mode(h)}}
	var err error
	switch h.Typeflag {
	case tar.TypeDir:
		n.Type, n.children = layers.Dir, map[string]*node{}
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		if err := x.budget.declare(&x.used, h.Size); err != nil {
			return nil, err
		}
		n.Type, n.Size, n.ModTime = layers.File, h.Size, uint32(h.ModTime.Unix())
		n.Content, err = add(ctx, r, h.Size)
	case tar.TypeSymlink:
		n.Type, n.Link = layers.Symlink, h.Linkname
		err = checkTarget(h.Linkname)
	case tar.TypeLink:
		return x.hardLink(h)
	default:
		// It still hides what a lower layer has at its path.
		n.Type, n.leftOut = layers.File, true
		x.leftOut = append(x.leftOut, layers.LeftOut{Path: h.Name, Layer: x.layer, Reason: special(h)})
	}
	return n, err
}

// hardLink makes a file that shares the content of another. When this layer
// has no such file, it is one of a lower layer and looked for later.
func (x *index) hardLink(h *tar.Header) (*node, error) {
	target, err := clean(h.Linkname)
	if err != nil {
		return nil, fmt.Errorf("hard link to %q: %w", h.Linkname, err)
	}
	old, err := x.root.file(target)
	if err != nil {
		return nil, fmt.Errorf("hard link to %q: %w", h.Linkname, err)
	}
	if old != nil {
		same := *old
		switch {
		case same.Type == layers.Dir:
			return nil, fmt.Errorf("%w: hard link to the directory %q", ErrLink, h.Linkname)
		case same.leftOut:
			x.leftOut = append(x.leftOut, layers.LeftOut{Path: h.Name, Layer: x.layer, Reason: "hard link to what is left out"})
		case same.target != "":
			x.links = append(x.links, &same)
		}
		return &same, nil
	}
	n := &node{Entry: layers.Entry{Type: layers.File}, target: target}
	x.links = append(x.links, n)
	return n, nil
}

func (x *index) countXattrs(h *tar.Header) {
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "SCHILY.xattr.") || strings.HasPrefix(name, "LIBARCHIVE.xattr.") {
			x.xattrs++
			return
		}
	}
}

// mode keeps the permissions and what a package cannot keep but a report may
// want to tell.
func mode(h *tar.Header) fs.FileMode {
	return h.FileInfo().Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
}

// special says why an entry is left out of a package.
func special(h *tar.Header) string {
	switch h.Typeflag {
	case tar.TypeChar:
		if h.Devmajor == 0 && h.Devminor == 0 {
			return "character device 0/0, an overlay file system's whiteout"
		}
		return "character device"
	case tar.TypeBlock:
		return "block device"
	case tar.TypeFifo:
		return "named pipe"
	}
	return fmt.Sprintf("entry of the unknown type %q", h.Typeflag)
}
