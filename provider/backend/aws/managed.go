package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/layers/bundle"
	"github.com/faas-lambda/faas-lambda/layers/flatten"
	"github.com/faas-lambda/faas-lambda/layers/image"
	"github.com/faas-lambda/faas-lambda/layers/managed"
	"github.com/faas-lambda/faas-lambda/provider/backend"
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
		Type: PackageZip, Reason: managedReason(base), Runtime: base.Runtime, Handler: packed.Handler, Env: packed.Env, LeftOut: packed.LeftOut, Summary: summary,
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

// takeRuntime puts into a plan what an image says that runs in one of Lambda's
// runtimes, without bootstrap: its variables are the function's own.
func (p *plan) takeRuntime(pkg Package) error {
	if pkg.Runtime == "" {
		return nil
	}
	if len(p.deployment.Secrets) > 0 {
		return backend.Errorf(backend.ErrInvalid, "function %s has secrets, and its image runs in Lambda's runtime %s, where nothing fetches them: start the image by a watchdog", p.name, pkg.Runtime)
	}
	for _, kv := range pkg.Env {
		name, value, _ := strings.Cut(kv, "=")
		if _, set := p.env[name]; !set {
			p.env[name] = value
		}
	}
	return nil
}

// native tells whether a function of ours runs without bootstrap: it knows
// nothing of our envelope.
func native(config lambdatypes.FunctionConfiguration) bool {
	if config.PackageType == lambdatypes.PackageTypeImage || config.Runtime == "" {
		return false
	}
	return config.Runtime != lambdatypes.RuntimeProvidedal2023 || aws.ToString(config.Handler) != "bootstrap"
}
