package secrets

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// sum tells whether a value has changed without keeping it.
type sum = [sha256.Size]byte

// newPrefix begins the names of files that are not whole yet; no secret's name
// begins with a dot.
const newPrefix = ".new-"

// makeDir makes dir, for this user alone.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make directory of secrets: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("make directory of secrets: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("make directory of secrets: %s is no directory", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("make directory of secrets: %w", err)
	}
	return nil
}

// write writes the values that have changed, or whose files are gone; nil stands
// for a value that could not be had. The caller holds mu, or is alone.
func (s *Store) write(values [][]byte) error {
	var errs []error
	for i, value := range values {
		if value == nil {
			continue
		}
		path, now := filepath.Join(s.dir, s.named[i].name), sha256.Sum256(value)
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && s.sums[s.named[i].name] == now {
			continue
		}
		if err := writeFile(path, value); err != nil {
			errs = append(errs, fmt.Errorf("write secret %s: %w", s.named[i].name, err))
			continue
		}
		s.sums[s.named[i].name] = now
	}
	return errors.Join(errs...)
}

// writeFile makes path hold value, readable by this user alone, by a rename: who
// reads sees the old value or the new one. What a killed process left half-written
// is removed.
func writeFile(path string, value []byte) error {
	dir, name := filepath.Split(path)
	half := dir + newPrefix + name
	if err := os.Remove(half); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(half, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(half))
	}
	return nil
}
