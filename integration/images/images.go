package images

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// version is part of what a root is kept by: another one makes them anew.
const version = "2"

// Root returns the file of a tar that holds packages of a release of Debian and
// all that they depend on. It is made once and kept in the user's cache.
func Root(ctx context.Context, suite, arch string, packages ...string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "faas-lambda-test-images")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make root of %s: %w", suite, err)
	}
	key := sha256.Sum256([]byte(strings.Join(append([]string{version, suite, arch}, packages...), " ")))
	file := filepath.Join(dir, fmt.Sprintf("%s-%s-%x.tar", suite, arch, key[:8]))
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	state, err := os.MkdirTemp(dir, "apt-")
	if err != nil {
		return "", fmt.Errorf("make root of %s: %w", suite, err)
	}
	defer os.RemoveAll(state)
	a, err := openArchive(ctx, state, suite, arch)
	if err != nil {
		return "", err
	}
	debs, err := a.fetch(ctx, packages)
	if err != nil {
		return "", err
	}
	made := filepath.Join(state, "root.tar")
	if err := write(ctx, made, debs); err != nil {
		return "", fmt.Errorf("make root of %s: %w", suite, err)
	}
	return file, os.Rename(made, file)
}

func write(ctx context.Context, name string, debs []string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := tar.NewWriter(f)
	s, err := unpack(ctx, w, debs)
	if err != nil {
		return err
	}
	if err := s.finish(w); err != nil {
		return err
	}
	return w.Close()
}

// Layer returns a root's tar as a layer of an image.
func Layer(file string) (v1.Layer, error) {
	layer, err := tarball.LayerFromFile(file, tarball.WithCompressionLevel(gzip.BestSpeed))
	if err != nil {
		return nil, fmt.Errorf("make layer of %s: %w", file, err)
	}
	return layer, nil
}
