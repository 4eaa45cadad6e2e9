// Package image turns a reference into the digest-verified image of one
// platform: its configuration and its layers. It is the only package that
// imports go.podman.io/image. It unpacks nothing and decompresses nothing.
package image

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/faas-lambda/faas-lambda/layers"
	"go.podman.io/image/v5/types"
)

// Options says which image is wanted and how registries are reached.
type Options struct {
	Arch string // amd64 or arm64; empty means amd64
	// Local allows references to files of this machine: oci:, oci-archive:
	// and docker-archive:. A served provider must not follow them.
	Local bool
	// InsecureRegistries names registries, as host or host:port, that may be
	// reached over plain HTTP or with a certificate that nobody vouches for.
	// Registries on a loopback address always may, as with Docker.
	InsecureRegistries []string
	AuthFile           string // credentials, instead of docker's and podman's usual places
	TempDir            string // for archives that must be unpacked; empty means os.TempDir

	// PullSecrets are Kubernetes's imagePullSecrets: files, or directories at
	// which they are mounted. They are looked into before anything else.
	PullSecrets []string
	// Credentials are asked when no file has any for a registry, given as host or
	// host:port; may be nil. No user name means that there are none.
	Credentials func(ctx context.Context, registry string) (username, password string, err error)

	Policy         string // signature policy, instead of containers/image's usual places
	RegistriesConf string // mirrors and blocked registries, likewise
	CertDir        string // directories host:port/ with *.crt, likewise
}

// Image is one image for one platform. Several goroutines may use it at once.
type Image struct {
	Reference string // as given to Open
	Digest    string // of the platform's own manifest, "sha256:…"
	Config    layers.Config
	// RawConfig is the whole configuration as JSON.
	RawConfig []byte
	// Repository is the host/name that the image came from; empty when it came
	// from no registry.
	Repository string

	src     types.ImageSource
	layers  []layers.Layer
	digests []string // of the manifest, and of the index that led to it
	// mu guards GetBlob of a source that must not be asked twice at a time;
	// the readers that it returns are independent of one another.
	mu sync.Mutex
}

// Open finds the image that ref names and reads its manifest and configuration.
// References are written as for skopeo and podman: name[:tag] or
// name@sha256:…, with or without docker:// before it, oci:DIR[:ref],
// oci-archive:FILE[:ref] and docker-archive:FILE[:name:tag]. The caller closes
// the image.
func Open(ctx context.Context, ref string, opts Options) (*Image, error) {
	if opts.Arch == "" {
		opts.Arch = "amd64"
	}
	r, err := parse(ref, opts)
	if err != nil {
		return nil, fmt.Errorf("open image %s: %w", ref, err)
	}
	s, err := r.system(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("open image %s: %w", ref, r.classify(ctx, err))
	}
	src, err := r.NewImageSource(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("open image %s: %w", ref, r.classify(ctx, err))
	}
	i := &Image{Reference: ref, src: src}
	if err := i.load(ctx, r, s, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("open image %s: %w", ref, r.classify(ctx, err)), src.Close())
	}
	return i, nil
}

// load reads manifest and configuration.
func (i *Image) load(ctx context.Context, r reference, s *types.SystemContext, opts Options) error {
	m, err := i.manifest(ctx, r, s, opts)
	if err != nil {
		return err
	}
	if err := i.trusted(ctx, r, s, opts); err != nil {
		return err
	}
	c, err := i.config(ctx, m, opts)
	if err != nil {
		return err
	}
	i.Config = c.config()
	if named := r.DockerReference(); named != nil && r.registry != "" {
		i.Repository = named.Name()
	}
	return i.setLayers(m, c.RootFS.DiffIDs)
}

// Layers returns the image's layers, the lowest first.
func (i *Image) Layers() []layers.Layer { return i.layers }

// Close ends what Open began. No layer can be opened after it.
func (i *Image) Close() error {
	if err := i.src.Close(); err != nil {
		return fmt.Errorf("close image %s: %w", i.Reference, err)
	}
	return nil
}
