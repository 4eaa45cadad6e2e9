package workshop

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// strange are folders that are never part of a function: other tools' own.
var strange = []string{".git", "__pycache__", ".venv", ".bundle", ".tox", ".pytest_cache"}

// leftBehind are folders that builds leave beside the files that they read.
var leftBehind = map[string][]string{"node_modules": {"package.json"}, "target": {"Cargo.toml", "pom.xml"}}

// skipped tells folders that are no part of a function.
func skipped(dir string) bool {
	name := filepath.Base(dir)
	return slices.Contains(strange, name) || slices.ContainsFunc(leftBehind[name], func(file string) bool { return exists(filepath.Join(filepath.Dir(dir), file)) })
}

// list adds the files below from to into, by where they go below to. Names in
// without are left out at the top. Links are followed, as faas-cli does.
func list(from string, into map[string]string, to string, without ...string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	l := lister{into: into, above: []fs.FileInfo{info}}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return slices.Contains(without, e.Name()) })
	return l.folder(from, to, entries)
}

// lister walks folders.
type lister struct {
	into  map[string]string
	above []fs.FileInfo // the folders that the walk is in
}

func (l *lister) folder(from, to string, entries []fs.DirEntry) error {
	for _, e := range entries {
		if lock(e) {
			continue
		}
		if err := l.add(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// add adds a file, or a folder with what is in it.
func (l *lister) add(path, to string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.Mode().IsRegular():
		l.into[to] = path
		return nil
	case !info.IsDir():
		return fmt.Errorf("%s is neither a file nor a folder (%s)", path, info.Mode().Type())
	case skipped(path):
		return nil
	case slices.ContainsFunc(l.above, func(one fs.FileInfo) bool { return os.SameFile(one, info) }):
		return fmt.Errorf("%s leads back to a folder that it is in", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	l.above = append(l.above, info)
	defer func() { l.above = l.above[:len(l.above)-1] }()
	return l.folder(path, to, entries)
}

// lock tells the link to nowhere by which Emacs marks a file that is being edited.
func lock(e fs.DirEntry) bool {
	return e.Type()&fs.ModeSymlink != 0 && strings.HasPrefix(e.Name(), ".#")
}

// keyOf names the build folder of a function.
func keyOf(f Function) string {
	sum := sha256.Sum256([]byte(f.Handler + "\x00" + f.Template + "\x00" + f.Name))
	return f.Name + "-" + hex.EncodeToString(sum[:6])
}

// madeHere is the file that lists what synchronize put into a folder, so that
// what tools have made there stays.
const madeHere = ".faas-lambda-files"

// synchronize makes dir hold the files, and takes away those of the last time
// that are gone. A file that has not changed is not touched.
func synchronize(dir string, files map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make build folder: %w", err)
	}
	names := make([]string, 0, len(files))
	for name, from := range files {
		names = append(names, name)
		if err := copyFile(filepath.Join(dir, name), from); err != nil {
			return fmt.Errorf("fill build folder: %w", err)
		}
	}
	slices.Sort(names)
	last, err := os.ReadFile(filepath.Join(dir, madeHere))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read build folder: %w", err)
	}
	for name := range strings.Lines(string(last)) {
		name = strings.TrimSuffix(name, "\n")
		if _, kept := files[name]; kept || !filepath.IsLocal(name) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clean build folder: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, madeHere), []byte(strings.Join(names, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("fill build folder: %w", err)
	}
	return nil
}

// copyFile copies a file and whether it can be executed.
func copyFile(to, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(to); err == nil && bytes.Equal(old, data) {
		return os.Chmod(to, mode(info.Mode()))
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, mode(info.Mode()))
}

// mode is one of the two that files of an image have: everyone may read them,
// since Lambda runs functions as a user of its own.
func mode(m fs.FileMode) fs.FileMode {
	if m&0o111 != 0 {
		return 0o755
	}
	return 0o644
}
