package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// write writes the image as an OCI layout that holds it alone, with its bills of
// materials. A layout that is there is replaced, and nothing else is.
func (m made) write(dir, version string) error {
	if _, err := os.Stat(dir); err == nil {
		if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
			return errors.New("the folder is there and is no OCI layout")
		}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), ".layout-")
	if err != nil {
		return err
	}
	path, err := layout.Write(work, empty.Index)
	if err == nil {
		err = path.AppendIndex(m.index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version}))
	}
	for _, bom := range m.boms {
		if err == nil {
			err = path.AppendImage(bom)
		}
	}
	if err == nil {
		err = errors.Join(os.Chmod(work, 0o755), os.RemoveAll(dir), os.Rename(work, dir))
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(work))
	}
	return nil
}

// push sends the image and its bills of materials to a repository, with the
// credentials of docker and podman, and returns the reference with the digest.
// Registries on loopback are reached over plain HTTP.
func (m made) push(ctx context.Context, repository, version string) (string, error) {
	ref, err := name.NewTag(repository + ":" + version)
	if err != nil {
		return "", fmt.Errorf("push %s: %w", repository, err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if err := remote.WriteIndex(ref, m.index, options...); err != nil {
		return "", fmt.Errorf("push %s: %w", ref, err)
	}
	for _, bom := range m.boms {
		digest, err := bom.Digest()
		if err != nil {
			return "", err
		}
		if err := remote.Write(ref.Context().Digest(digest.String()), bom, options...); err != nil {
			return "", fmt.Errorf("push bill of materials to %s: %w", ref.Context(), err)
		}
	}
	digest, err := m.index.Digest()
	return ref.Context().Digest(digest.String()).String(), err
}
