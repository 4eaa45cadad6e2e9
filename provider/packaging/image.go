package packaging

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/faas-lambda/faas-lambda/layers/bundle"
	"github.com/faas-lambda/faas-lambda/layers/flatten"
	"github.com/faas-lambda/faas-lambda/layers/image"
	"github.com/faas-lambda/faas-lambda/layers/push"
	"github.com/faas-lambda/faas-lambda/layers/relocate"
)

// What an image becomes, as the annotation com.openfaas.lambda/package names it.
const (
	Zip    = "zip"    // one archive, which Lambda unpacks at /var/task
	Layers = "layers" // a zip for what is the function's own, Lambda layers for the rest
	Image  = "image"  // a container image with bootstrap as its top layer
	Auto   = "auto"   // a zip when the image can be one, else an image
)

// ErrChanged says that a tag was given to another image between two looks at it.
var ErrChanged = errors.New("its tag was given to another image meanwhile: deploy again")

// needsImage returns why an image cannot be a zip; nil when err says something
// else.
func needsImage(err error) error {
	for _, reason := range []error{relocate.ErrUnmovable, bundle.ErrTooLarge, bundle.ErrReserved} {
		if errors.Is(err, reason) {
			return err
		}
	}
	return nil
}

// writeTop writes the layer that makes a function of the image where it stands.
func writeTop(ctx context.Context, w io.Writer, flat *flatten.Result, img *image.Image, options relocate.Options, in bundle.Package) (Package, error) {
	stayed, err := relocate.Stay(flat.Tree, img.Config, options)
	if err != nil {
		return Package{}, err
	}
	in.Root, in.Start = "/", stayed.Start
	top, err := bundle.WriteLayer(ctx, w, in, stayed.Added)
	if err != nil {
		return Package{}, err
	}
	return Package{Type: Image, Env: stayed.Start.Env, Dir: stayed.Start.Dir, Top: top}, nil
}

// Destination is a repository of any registry, host/name, with the credentials
// for it: they are looked for where those are that images are read with.
func (p *Packager) Destination(ctx context.Context, repository string) (push.Destination, error) {
	found, err := image.Credentials(ctx, repository, image.Options{PullSecrets: p.opts.PullSecrets, Credentials: p.opts.Credentials})
	return push.Destination{Repository: repository, User: found.Username, Password: found.Password, IdentityToken: found.IdentityToken}, err
}

// Push puts the image of a package of the type Image, made of spec, into
// a repository and returns its digest.
func (p *Packager) Push(ctx context.Context, spec Spec, pkg Package, to push.Destination) (digest string, err error) {
	to.InsecureRegistries = p.opts.InsecureRegistries
	err = p.with(ctx, spec, func(img *image.Image, _ []byte) error {
		if img.Digest != pkg.Digest {
			return ErrChanged
		}
		digest, err = push.Push(ctx,
			push.Image{Config: img.RawConfig, Layers: img.Layers(), Repository: img.Repository},
			push.Top{
				File: pkg.Path, Digest: pkg.Top.Digest, DiffID: pkg.Top.DiffID, Size: pkg.Top.Size,
				Entrypoint: []string{bundle.Entrypoint}, Env: pkg.Env, Dir: pkg.Dir,
			}, to)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("push image %s: %w", spec.Image, err)
	}
	return digest, nil
}
