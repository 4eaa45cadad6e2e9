package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// MaxUnpacked is the largest image, unpacked (AWS: "Lambda quotas").
const MaxUnpacked = 10 << 30

// maxEntries bounds the files of an image, which cost inodes whatever their size.
const maxEntries = 2_000_000

// Names of whiteouts (OCI image specification, layer.md).
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

func unpack(ctx context.Context, img v1.Image, dir string) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	u := &unpacker{root: root, left: MaxUnpacked, entries: maxEntries, buf: make([]byte, 256<<10)}
	return errors.Join(u.layers(ctx, layers), root.Close())
}

// unpacker writes layers over each other. Everything goes through root, out of which no name leads.
type unpacker struct {
	root    *os.Root
	left    int64
	entries int
	buf     []byte
	dirs    map[string]string   // of this layer: directories by name, as they are without symlinks
	written map[string]struct{} // of this layer: what whiteouts leave alone
	modes   map[string]fs.FileMode
}

func (u *unpacker) layers(ctx context.Context, layers []v1.Layer) error {
	for _, layer := range layers {
		if err := u.layer(ctx, layer); err != nil {
			return err
		}
	}
	return u.mountPoints()
}

func (u *unpacker) layer(ctx context.Context, layer v1.Layer) (err error) {
	content, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	if err := u.archive(ctx, content); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, content); err != nil { // to the end, where the digest is checked
		return fmt.Errorf("%w: %w", ErrContent, err)
	}
	return nil
}

func (u *unpacker) archive(ctx context.Context, content io.Reader) error {
	u.dirs, u.written, u.modes = map[string]string{".": "."}, map[string]struct{}{}, map[string]fs.FileMode{}
	archive := tar.NewReader(content)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrContent, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if u.entries--; u.entries < 0 {
			return fmt.Errorf("%w: more than %d files", ErrTooLarge, maxEntries)
		}
		if err := u.entry(header, archive); err != nil {
			return blame(header.Name, err)
		}
	}
	for dir, mode := range u.modes {
		if err := u.root.Chmod(dir, mode|0o700); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// blame tells errors of the image's content from those of the disk.
func blame(name string, err error) error {
	for _, ours := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, ErrTooLarge} {
		if errors.Is(err, ours) {
			return fmt.Errorf("unpack %q: %w", name, err)
		}
	}
	return fmt.Errorf("%w: unpack %q: %w", ErrContent, name, err)
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	if name == "" {
		return nil // the root itself
	}
	for _, part := range strings.Split(h.Name, "/") {
		if part == ".." {
			return errors.New("name leads out of the image")
		}
	}
	parent, base := path.Split(name)
	dir, err := u.dir(path.Clean(parent))
	if err != nil {
		return err
	}
	if removed, ok := strings.CutPrefix(base, whiteout); ok {
		return u.whiteout(dir, base, removed)
	}
	name = path.Join(dir, base)
	u.written[name] = struct{}{}
	if h.Typeflag != tar.TypeDir {
		if err := u.remove(name); err != nil {
			return err
		}
	}
	mode := fs.FileMode(h.Mode).Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		return u.makeDir(name, mode)
	case tar.TypeReg:
		return u.file(name, mode, h.Size, content)
	case tar.TypeSymlink:
		return u.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return u.link(h.Linkname, name)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return nil // a function could not use it: the sandbox has devices of its own
	}
	return fmt.Errorf("entry of unknown type %q", h.Typeflag)
}

func (u *unpacker) makeDir(name string, mode fs.FileMode) error {
	info, err := u.root.Lstat(name)
	if err == nil && !info.IsDir() {
		if err := u.remove(name); err != nil {
			return err
		}
	}
	if err := u.root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	u.modes[name] = mode // set at the end: a directory without w could not be filled
	return nil
}

func (u *unpacker) file(name string, mode fs.FileMode, size int64, content io.Reader) (err error) {
	if u.left -= size; u.left < 0 {
		return ErrTooLarge
	}
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.CopyBuffer(struct{ io.Writer }{f}, content, u.buf); err != nil { // a file by itself would take no buffer
		return err
	}
	return f.Chmod(mode)
}

func (u *unpacker) link(to, name string) error {
	to = strings.TrimPrefix(path.Clean("/"+to), "/")
	dir, err := u.dir(path.Dir(to))
	if err != nil {
		return err
	}
	return u.root.Link(path.Join(dir, path.Base(to)), name)
}

// remove makes room for something else of that name.
func (u *unpacker) remove(name string) error {
	info, err := u.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&fs.ModeSymlink != 0 {
		u.forget(name)
	}
	return u.root.RemoveAll(name)
}

// whiteout removes what layers below have of a name, or of all names of a directory.
func (u *unpacker) whiteout(dir, base, removed string) error {
	if base != opaque {
		if removed == "" || removed == "." || removed == ".." {
			return errors.New("whiteout of no name")
		}
		name := path.Join(dir, removed)
		if _, ours := u.written[name]; ours {
			return nil
		}
		return u.remove(name)
	}
	d, err := u.root.Open(dir)
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	for _, child := range names {
		name := path.Join(dir, child)
		if _, ours := u.written[name]; ours {
			continue
		}
		if err := u.remove(name); err != nil {
			return err
		}
	}
	return nil
}
