package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// version is part of what a root is kept by: another one makes them anew.
const version = "3"

// Root returns the file of a compressed tar that holds packages of a release of
// Debian and all that they depend on.
func Root(ctx context.Context, suite, arch string, packages ...string) (string, error) {
	key := sha256.Sum256([]byte(strings.Join(packages, " ")))
	return kept(fmt.Sprintf("%s-%s-%x.tar.gz", suite, arch, key[:8]), func(dir string) (string, error) {
		a, err := openArchive(ctx, dir, suite, arch)
		if err != nil {
			return "", err
		}
		debs, err := a.fetch(ctx, packages)
		if err != nil {
			return "", err
		}
		made := filepath.Join(dir, "root.tar.gz")
		return made, write(ctx, made, debs)
	})
}

// kept returns a file of the user's cache. When it is not there make makes it in
// a directory of its own, and it is kept.
func kept(name string, make func(dir string) (string, error)) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "faas-lambda-test-images", version)
	file := filepath.Join(dir, name)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	work, err := os.MkdirTemp(dir, "making-")
	if err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	defer os.RemoveAll(work)
	made, err := make(work)
	if err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	return file, os.Rename(made, file)
}

func write(ctx context.Context, name string, debs []string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	s, err := unpack(ctx, w, debs)
	if err != nil {
		return err
	}
	if err := s.finish(w); err != nil {
		return err
	}
	return errors.Join(w.Close(), z.Close())
}

// Layer returns a root's tar as a layer of an image.
func Layer(file string) (v1.Layer, error) {
	layer, err := tarball.LayerFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("make layer of %s: %w", file, err)
	}
	return layer, nil
}
