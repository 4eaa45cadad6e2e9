package packaging

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/layers/bundle"
)

// maxCache bounds the packages that are kept; the least recently used go first,
// but none that may still be in use.
const (
	maxCache  = 2 << 30
	keepAtAll = 15 * time.Minute
)

var errNotCached = errors.New("not in the cache")

// packageStore keeps finished packages as pairs of files: KEY.zip, and KEY.json
// that describes it. The description is written last, so that a zip with one is
// complete. Several processes may use the same directory.
type packageStore struct{ dir string }

// cacheKey names a package by everything that its bytes depend on.
func cacheKey(digest string, spec Spec, bootstrap []byte, revision string) string {
	program := sha256.Sum256(bootstrap)
	h := sha256.New()
	for _, part := range []string{"2", digest, spec.Arch, spec.Process, strings.Join(spec.Env, "\x00"), strconv.FormatBool(spec.KeepAll), spec.Type, strconv.Itoa(spec.OwnLayers), string(program[:]), revision} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s packageStore) path(key, suffix string) string { return filepath.Join(s.dir, key+suffix) }

// find returns the package of key, or errNotCached.
func (s packageStore) find(key string) (Package, error) {
	description, err := os.ReadFile(s.path(key, ".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Package{}, errNotCached
	}
	if err != nil {
		return Package{}, fmt.Errorf("read cached package: %w", err)
	}
	var pkg Package
	if err := json.Unmarshal(description, &pkg); err != nil {
		return Package{}, errNotCached // of another version, or damaged: made again
	}
	pkg.Path = s.path(key, ".zip")
	info, err := os.Stat(pkg.Path)
	if err != nil || info.Size() != pkg.Size() {
		return Package{}, errNotCached
	}
	now := time.Now()
	if err := os.Chtimes(pkg.Path, now, now); err != nil {
		return Package{}, fmt.Errorf("mark cached package as used: %w", err)
	}
	for _, part := range pkg.Parts {
		info, err := os.Stat(part.Path)
		if err != nil || info.Size() != part.Summary.Zipped {
			return Package{}, errNotCached
		}
		if err := os.Chtimes(part.Path, now, now); err != nil {
			return Package{}, fmt.Errorf("mark cached layer as used: %w", err)
		}
	}
	return pkg, nil
}

// addPart writes the zip of a Lambda layer, under its digest: packages share it.
func (s packageStore) addPart(write func(io.Writer) (bundle.Summary, error)) (part Layer, err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return part, fmt.Errorf("make package cache: %w", err)
	}
	written := filepath.Join(s.dir, ".new-layer-"+rand.Text())
	err = s.put(written, func(w io.Writer) (err error) {
		part.Summary, err = write(w)
		return err
	})
	if err != nil {
		return part, err
	}
	digest, err := part.Digest()
	if err != nil {
		return part, errors.Join(err, os.Remove(written))
	}
	part.Path = s.path("layer-"+digest, ".zip")
	return part, os.Rename(written, part.Path)
}

// add makes the package of key by write.
func (s packageStore) add(key string, write func(io.Writer) (Package, error)) (Package, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return Package{}, fmt.Errorf("make package cache: %w", err)
	}
	var pkg Package
	err := s.put(s.path(key, ".zip"), func(w io.Writer) (err error) {
		pkg, err = write(w)
		return err
	})
	if err != nil {
		return Package{}, err
	}
	description, err := json.Marshal(pkg)
	if err != nil {
		return Package{}, fmt.Errorf("describe package: %w", err)
	}
	err = s.put(s.path(key, ".json"), func(w io.Writer) error {
		_, err := w.Write(description)
		return err
	})
	if err != nil {
		return Package{}, err
	}
	pkg.Path = s.path(key, ".zip")
	return pkg, s.prune()
}

// put writes a file so that it appears complete or not at all.
func (s packageStore) put(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(s.dir, ".new-*")
	if err != nil {
		return fmt.Errorf("write package: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	if err := errors.Join(write(file), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// prune removes what was used least recently until the cache is small enough.
func (s packageStore) prune() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("prune package cache: %w", err)
	}
	var files []fs.FileInfo
	total := int64(0)
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // gone meanwhile, or not ours
		}
		files = append(files, info)
		total += info.Size()
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, file := range files {
		if total <= maxCache || time.Since(file.ModTime()) < keepAtAll {
			break
		}
		path := filepath.Join(s.dir, file.Name())
		description := strings.TrimSuffix(path, ".zip") + ".json"
		for _, path := range []string{path, description} {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("prune package cache: %w", err)
			}
		}
		total -= file.Size()
	}
	return nil
}

// Content returns the bytes of a package, which must still be what was written.
func (p Package) Content() ([]byte, error) {
	content, err := os.ReadFile(p.Path)
	if err != nil {
		return nil, fmt.Errorf("read package: %w", err)
	}
	sum := sha256.Sum256(content)
	return content, p.check(sum[:])
}

// Open opens a package whose bytes are still what was written.
func (p Package) Open() (_ *os.File, err error) {
	f, err := os.Open(p.Path)
	if err != nil {
		return nil, fmt.Errorf("read package: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, fmt.Errorf("read package: %w", err)
	}
	if err := p.check(sum.Sum(nil)); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read package: %w", err)
	}
	return f, nil
}

func (p Package) check(sum []byte) error {
	if base64.StdEncoding.EncodeToString(sum) != p.Summary.SHA256 {
		return fmt.Errorf("read package %s: it changed since it was written: remove it", p.Path)
	}
	return nil
}
