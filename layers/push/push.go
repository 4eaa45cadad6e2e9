// Package push puts an image with one more layer on top into a registry, for
// Lambda: a manifest of one platform, of OCI's types, with layers that are
// compressed by gzip, as Lambda requires
// (docs.aws.amazon.com/lambda, "Create a Lambda function using a container
// image"). What the registry has is not uploaded again. It decides nothing about
// the image: it is told the layer and the configuration.
package push

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/faas-lambda/faas-lambda/layers"
)

// Errors of Push, for errors.Is.
var (
	ErrRepository = errors.New("invalid repository")
	ErrDenied     = errors.New("registry denies the upload")
	ErrConfig     = errors.New("configuration of the image cannot be extended")
)

// Image is the image below the new layer.
type Image struct {
	Config     []byte         // its configuration, JSON
	Layers     []layers.Layer // the lowest first
	Repository string         // that they come from, host/name; empty when no registry has them
}

// Top is the new layer and what changes in the configuration with it.
type Top struct {
	File           string // that holds the layer, compressed by gzip
	Digest, DiffID string // of the file and of the tar in it, "sha256:…"
	Size           int64  // of the file in bytes
	Entrypoint     []string
	Env            []string // NAME=value
	Dir            string   // working directory
}

// Destination is a repository, and how it is reached.
type Destination struct {
	Repository         string // host/name
	User, Password     string // empty for none
	IdentityToken      string // in the place of both, for a registry that gave one at login
	InsecureRegistries []string
	TempDir            string // for layers that must be compressed anew; empty means os.TempDir
}

// Push pushes the image with the layer on top, under its digest as a tag, and
// returns the digest. The same input gives the same digest. A registry that has
// the image already gets nothing.
func Push(ctx context.Context, img Image, top Top, to Destination) (digest string, err error) {
	repository, err := to.repository()
	if err != nil {
		return "", err
	}
	d := &derived{ctx: ctx, image: img, top: top, destination: repository, temp: to.TempDir}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.build(); err != nil {
		return "", fmt.Errorf("push image to %s: %w", repository, err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithUserAgent("faas-lambda"), remote.WithAuth(to.auth())}
	hash, err := partial.Digest(d)
	if err != nil {
		return "", fmt.Errorf("push image to %s: %w", repository, err)
	}
	tag := repository.Tag(hash.Hex)
	if there, err := remote.Head(tag, options...); err == nil && there.Digest == hash {
		return hash.String(), nil
	}
	whole, err := partial.CompressedToImage(d)
	if err != nil {
		return "", fmt.Errorf("push image to %s: %w", repository, err)
	}
	if err := remote.Write(tag, &mounting{whole, d}, options...); err != nil {
		return "", fmt.Errorf("push image to %s: %w", repository, explain(ctx, err))
	}
	return hash.String(), nil
}

func (to Destination) repository() (name.Repository, error) {
	r, err := name.NewRepository(to.Repository, name.StrictValidation)
	if err != nil {
		return name.Repository{}, fmt.Errorf("%w: %w", ErrRepository, err)
	}
	for _, host := range to.InsecureRegistries {
		if host == r.RegistryStr() {
			return name.NewRepository(to.Repository, name.StrictValidation, name.Insecure)
		}
	}
	return r, nil
}

func (to Destination) auth() authn.Authenticator {
	if to.User == "" && to.Password == "" && to.IdentityToken == "" {
		return authn.Anonymous
	}
	return authn.FromConfig(authn.AuthConfig{Username: to.User, Password: to.Password, IdentityToken: to.IdentityToken})
}

// explain wraps what a registry answered in the sentinel that says what it means.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var answer *transport.Error
	if errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}

// mounting is the image with layers that a registry may take over from another
// repository of its own.
type mounting struct {
	v1.Image
	derived *derived
}

// Layers implements v1.Image.
func (m *mounting) Layers() ([]v1.Layer, error) {
	list, err := m.Image.Layers()
	if err != nil || m.derived.image.Repository == "" {
		return list, err
	}
	from, err := name.NewRepository(m.derived.image.Repository)
	if err != nil || from.RegistryStr() != m.derived.destination.RegistryStr() || from.RepositoryStr() == m.derived.destination.RepositoryStr() {
		return list, nil
	}
	for i, l := range list[:len(list)-1] {
		list[i] = &remote.MountableLayer{Layer: l, Reference: from.Tag("latest")}
	}
	return list, nil
}
