package sandbox

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// MaxUnpacked is the size that a function's unpacked code must stay below.
const MaxUnpacked = 262_144_000

// maxEntries bounds the files of a zip, which cost inodes whatever their size.
const maxEntries = 500_000

// ErrTooLarge means that a zip unpacks to MaxUnpacked or more.
var ErrTooLarge = errors.New("unzipped size is too large")

// ErrBadZip means that a zip is corrupt, or holds a name that leads out of its directory.
var ErrBadZip = errors.New("bad zip")

// CheckZip finds what is wrong with a zip by its directory alone, and returns the size of its files.
func CheckZip(r io.ReaderAt, size int64) (unpacked int64, err error) {
	_, unpacked, err = openZip(r, size)
	return unpacked, err
}

func openZip(r io.ReaderAt, size int64) (*zip.Reader, int64, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrBadZip, err)
	}
	if len(archive.File) > maxEntries {
		return nil, 0, fmt.Errorf("%w: %d entries", ErrTooLarge, len(archive.File))
	}
	var total uint64
	for _, f := range archive.File {
		if !safeName(f.Name) {
			return nil, 0, fmt.Errorf("%w: unsafe name %q", ErrBadZip, f.Name)
		}
		// Each is compared before it is added: a sum of declared sizes may overflow.
		if f.UncompressedSize64 >= MaxUnpacked || total+f.UncompressedSize64 >= MaxUnpacked {
			return nil, 0, ErrTooLarge
		}
		total += f.UncompressedSize64
	}
	return archive, int64(total), nil
}

// safeName accepts relative paths that stay below where they start.
func safeName(name string) bool {
	return !strings.ContainsAny(name, "\\\x00") && filepath.IsLocal(strings.TrimSuffix(name, "/"))
}

// Unpack writes the zip's files into dir, which must exist and be empty, with their modes; symlinks stay symlinks. Nothing is written outside
// dir: symlinks are made last, so no entry can be written through one.
func Unpack(r io.ReaderAt, size int64, dir string) error {
	archive, _, err := openZip(r, size)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack zip: %w", err)
	}
	u := &unpacker{root: root, left: MaxUnpacked - 1, dirs: map[string]bool{".": true}}
	return errors.Join(u.unpack(archive), root.Close())
}

type unpacker struct {
	root *os.Root
	left int64 // bytes that may still be written
	dirs map[string]bool
}

func (u *unpacker) unpack(archive *zip.Reader) error {
	var links, dirs []*zip.File
	for _, f := range archive.File {
		var err error
		switch mode := f.Mode(); {
		case mode&fs.ModeSymlink != 0:
			links = append(links, f)
		case mode.IsDir() || strings.HasSuffix(f.Name, "/"):
			dirs = append(dirs, f)
			err = u.makeDir(path.Clean(f.Name))
		case mode.IsRegular():
			err = u.file(f)
		default:
			err = fmt.Errorf("%w: %q is neither file, directory nor symlink", ErrBadZip, f.Name)
		}
		if err != nil {
			return err
		}
	}
	for _, f := range links {
		if err := u.link(f); err != nil {
			return err
		}
	}
	return u.dirModes(dirs)
}

func (u *unpacker) makeDir(name string) error {
	if u.dirs[name] {
		return nil
	}
	if err := u.root.MkdirAll(name, 0o755); err != nil {
		return unpackError(name, err)
	}
	u.dirs[name] = true
	return nil
}

func (u *unpacker) file(f *zip.File) (err error) {
	name := path.Clean(f.Name)
	if err := u.makeDir(path.Dir(name)); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return unpackError(name, err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	// A zip may hold a name twice; the last one wins, as with unzip -o.
	out, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return unpackError(name, err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	n, err := io.Copy(out, io.LimitReader(in, u.left+1))
	if err != nil {
		return unpackError(name, err)
	}
	if u.left -= n; u.left < 0 {
		return ErrTooLarge
	}
	if err := out.Chmod(permissions(f, 0o644)); err != nil {
		return unpackError(name, err)
	}
	return nil
}

func (u *unpacker) link(f *zip.File) error {
	name := path.Clean(f.Name)
	if err := u.makeDir(path.Dir(name)); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return unpackError(name, err)
	}
	target, err := io.ReadAll(io.LimitReader(in, 4096))
	if err := errors.Join(err, in.Close()); err != nil {
		return unpackError(name, err)
	}
	if err := u.root.Symlink(string(target), name); err != nil {
		return unpackError(name, err)
	}
	return nil
}

// dirModes comes last, deepest first, since a directory without w could not be filled. The owner keeps every right, to remove it one day; the
// function cannot write there anyhow.
func (u *unpacker) dirModes(dirs []*zip.File) error {
	slices.SortFunc(dirs, func(a, b *zip.File) int { return strings.Compare(b.Name, a.Name) })
	for _, f := range dirs {
		name := path.Clean(f.Name)
		if err := u.root.Chmod(name, permissions(f, 0o755)|0o700); err != nil {
			return unpackError(name, err)
		}
	}
	return nil
}

// Systems whose zips carry modes, as the high byte of "version made by" (APPNOTE.TXT 4.4.2).
const creatorUnix, creatorDarwin = 3, 19

// permissions of an entry; those made on systems without modes carry none.
func permissions(f *zip.File, otherwise fs.FileMode) fs.FileMode {
	creator := f.CreatorVersion >> 8
	if mode := f.Mode().Perm(); mode != 0 && (creator == creatorUnix || creator == creatorDarwin) {
		return mode
	}
	return otherwise
}

// unpackError blames the zip for everything but the disk: errors of files that do not come from names that contradict each other.
func unpackError(name string, err error) error {
	var disk *fs.PathError
	if errors.As(err, &disk) && !slices.ContainsFunc(contradictions, func(e error) bool { return errors.Is(err, e) }) {
		return fmt.Errorf("unpack %q: %w", name, err)
	}
	return fmt.Errorf("%w: unpack %q: %w", ErrBadZip, name, err)
}

var contradictions = []error{syscall.EEXIST, syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG, syscall.EINVAL}
