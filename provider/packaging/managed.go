package packaging

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/faas-lambda/faas-lambda/layers/bundle"
	"github.com/faas-lambda/faas-lambda/layers/flatten"
	"github.com/faas-lambda/faas-lambda/layers/image"
	"github.com/faas-lambda/faas-lambda/layers/managed"
)

// writeManaged writes what an image has above one of Lambda's own bases.
func writeManaged(ctx context.Context, w io.Writer, flat *flatten.Result, base managed.Base, img *image.Image, in bundle.Package) (_ Package, err error) {
	packed, err := packManaged(ctx, flat, base, img, in)
	if err != nil {
		return Package{}, err
	}
	in.Tree = packed.Tree
	summary, err := bundle.WritePart(ctx, w, in)
	if err != nil {
		return Package{}, fmt.Errorf("write package: %w", err)
	}
	return Package{
		Type: Zip, Reason: managedReason(base), Runtime: base.Runtime, Handler: packed.Handler, Env: packed.Env, LeftOut: packed.LeftOut, Summary: summary,
	}, nil
}

func managedReason(base managed.Base) string {
	return "its base is Lambda's own, which Lambda has: only what stands above it is packed, for the runtime " + base.Runtime
}

// packManaged is writeManaged without the zip.
func packManaged(ctx context.Context, flat *flatten.Result, base managed.Base, img *image.Image, in bundle.Package) (_ *managed.Packed, err error) {
	below, err := flatten.Flatten(ctx, img.Layers()[:base.Layers], flatten.Options{Cache: in.Cache})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, below.Close()) }()
	return managed.Pack(flat.Tree, below.Tree, base, img.Config)
}
