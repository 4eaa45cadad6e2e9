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

// skipped are never part of a function: what builds leave behind, and other
// tools' own.
var skipped = []string{".git", "node_modules", "__pycache__", "target", ".venv", ".bundle", ".tox", ".pytest_cache"}

// list adds the files below from to into, by where they go below to. Names in
// without are left out at the top.
func list(from string, into map[string]string, to string, without ...string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel != "." && slices.Contains(skipped, d.Name()) || slices.Contains(without, rel) {
				return filepath.SkipDir
			}
			return nil
		}
		into[filepath.Join(to, rel)] = path
		return nil
	})
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

// copyFile copies a file and whether it can be executed; a link is followed, as
// a container's build does with what lies inside its context.
func copyFile(to, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return nil // a link to a directory
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
