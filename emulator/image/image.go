// Package image fetches container images as Lambda does: it resolves a name to a digest once, and later unpacks what has that digest into a root
// directory. It runs nothing, and keeps nothing but the directory that it is given.
package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Errors that tell the reasons apart for which there is no image.
var (
	// ErrName means that a name is none of registry/repository:tag or registry/repository@digest.
	ErrName = errors.New("not the name of an image with its registry and tag or digest")
	// ErrAbsent means that the registry has no such image.
	ErrAbsent = errors.New("image does not exist")
	// ErrDenied means that the registry does not let us have it.
	ErrDenied = errors.New("access to image denied")
	// ErrUnsupported means that the manifest is of another kind than that of one image: an index of several architectures, for one.
	ErrUnsupported = errors.New("manifest, config or layer media type is not supported")
	// ErrTooLarge means that the image unpacks to more than MaxUnpacked.
	ErrTooLarge = errors.New("uncompressed image is too large")
	// ErrContent means that what the image holds cannot be unpacked: names that lead out of it, a broken archive.
	ErrContent = errors.New("image content is not valid")
)

// Source is where images come from. The zero value knows public registries and docker's configuration.
type Source struct {
	// Own returns the OCI distribution API of a registry that is part of this program, nil for other hosts. It may be nil.
	Own func(host string) http.Handler
	// Credentials for a registry elsewhere, before those of docker's configuration. It may be nil.
	Credentials func(host string) (user, password string, ok bool)
}

// Resolved is an image by its digest: it never means another one.
type Resolved struct {
	Name   string // registry/repository@sha256:...
	Digest string // SHA-256 of the manifest in hex
}

// Resolve finds out which image a name means now. The manifest must be that of one image.
func (s Source) Resolve(ctx context.Context, image string) (Resolved, error) {
	ref, err := name.ParseReference(image, name.StrictValidation)
	if err != nil {
		return Resolved{}, fmt.Errorf("%w: %w", ErrName, err)
	}
	descriptor, err := remote.Get(ref, s.options(ctx, ref.Context().RegistryStr())...)
	if err != nil {
		return Resolved{}, sort(fmt.Errorf("get manifest of %s: %w", image, err))
	}
	if err := supported(descriptor); err != nil {
		return Resolved{}, fmt.Errorf("get manifest of %s: %w", image, err)
	}
	return Resolved{Name: ref.Context().Digest(descriptor.Digest.String()).String(), Digest: descriptor.Digest.Hex}, nil
}

// supported takes Docker's v2 schema 2 and OCI's manifest, with layers of the kinds that belong to them (AWS: "Container image requirements").
func supported(d *remote.Descriptor) error {
	if d.MediaType != types.DockerManifestSchema2 && d.MediaType != types.OCIManifestSchema1 {
		return fmt.Errorf("%w: %s", ErrUnsupported, d.MediaType)
	}
	img, err := d.Image()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if t := manifest.Config.MediaType; t != types.DockerConfigJSON && t != types.OCIConfigJSON {
		return fmt.Errorf("%w: config %s", ErrUnsupported, t)
	}
	for _, layer := range manifest.Layers {
		switch layer.MediaType {
		case types.DockerLayer, types.DockerUncompressedLayer, types.OCILayer, types.OCIUncompressedLayer, types.OCILayerZStd:
		default:
			return fmt.Errorf("%w: layer %s", ErrUnsupported, layer.MediaType)
		}
	}
	return nil
}

func (s Source) options(ctx context.Context, host string) []remote.Option {
	options := []remote.Option{remote.WithContext(ctx)}
	if s.Own != nil {
		if handler := s.Own(host); handler != nil {
			return append(options, remote.WithTransport(direct{handler}))
		}
	}
	if s.Credentials != nil {
		if user, password, ok := s.Credentials(host); ok {
			return append(options, remote.WithAuth(&authn.Basic{Username: user, Password: password}))
		}
	}
	return append(options, remote.WithAuthFromKeychain(authn.DefaultKeychain))
}

// sort marks an error of a registry with the reason that it means.
func sort(err error) error {
	var refused *transport.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}

// Config is how an image says that it is to be run.
type Config struct {
	Entrypoint   []string
	Cmd          []string
	Env          []string
	WorkingDir   string
	Architecture string // as Go calls it: amd64, arm64
}

// Unpack writes the files of a resolved image into dir, which must be empty.
func (s Source) Unpack(ctx context.Context, image, dir string) (Config, error) {
	ref, err := name.NewDigest(image)
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrName, err)
	}
	img, err := remote.Image(ref, s.options(ctx, ref.Context().RegistryStr())...)
	if err != nil {
		return Config{}, sort(fmt.Errorf("get image %s: %w", image, err))
	}
	file, err := img.ConfigFile()
	if err != nil {
		return Config{}, sort(fmt.Errorf("get config of %s: %w", image, err))
	}
	if err := unpack(ctx, img, dir); err != nil {
		return Config{}, sort(fmt.Errorf("unpack image %s: %w", image, err))
	}
	return configOf(file), nil
}

func configOf(f *v1.ConfigFile) Config {
	return Config{
		Entrypoint: f.Config.Entrypoint, Cmd: f.Config.Cmd, Env: f.Config.Env, WorkingDir: f.Config.WorkingDir, Architecture: f.Architecture,
	}
}
