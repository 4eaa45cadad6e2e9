package packaging

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/bundle"
	layercache "github.com/faas-lambda/faas-lambda/layers/cache"
	layercut "github.com/faas-lambda/faas-lambda/layers/cut"
	"github.com/faas-lambda/faas-lambda/layers/flatten"
	"github.com/faas-lambda/faas-lambda/layers/image"
	"github.com/faas-lambda/faas-lambda/layers/relocate"
)

// Layer is the zip of one Lambda layer.
type Layer struct {
	Path    string // in the cache
	Summary bundle.Summary
	Of      string // what it holds, for its description: an image's layer, or bootstrap
}

// Digest is the SHA-256 of the zip, in hexadecimal.
func (l Layer) Digest() (string, error) {
	sum, err := base64.StdEncoding.DecodeString(l.Summary.SHA256)
	if err != nil {
		return "", fmt.Errorf("read digest of layer: %w", err)
	}
	return hex.EncodeToString(sum), nil
}

// MaxLayers is how many layers a function may have (recorded on the real
// service: "Cannot reference more than 5 layers.").
const MaxLayers = 5

// What makes a Lambda layer worth having: layers of an image are taken together
// until they have so many bytes, compressed; the last ones are left to the
// function when they have fewer than the least.
const (
	enoughShared = 4 << 20
	leastShared  = 1 << 20
)

// sharedLayers returns how many of an image's layers, counted from the lowest,
// each Lambda layer ends at; there are at most that many. An image's top layer is
// the function's own. What comes above a layer does not change where the ones
// below end, so that images with the lower ones in common share them.
func sharedLayers(list []layers.Layer, most int) []int {
	var ends []int
	size := int64(0)
	for i, l := range list[:max(0, len(list)-1)] {
		size += l.Size
		if size >= enoughShared && len(ends) < most-1 {
			ends = append(ends, i+1)
			size = 0
		}
	}
	if size >= leastShared && len(ends) < most {
		ends = append(ends, len(list)-1)
	}
	return ends
}

// layering is the making of one package of the type Layers.
type layering struct {
	spec    Spec
	img     *image.Image
	options relocate.Options
	in      bundle.Package
	store   packageStore
	cache   *layercache.Cache
	parts   []Layer
}

// writeLayered writes the function's own zip to w and those of its Lambda layers
// into the cache.
func (p *Packager) writeLayered(ctx context.Context, w io.Writer, flat *flatten.Result, spec Spec, img *image.Image, options relocate.Options, in bundle.Package) (_ Package, err error) {
	free := MaxLayers - spec.OwnLayers - 1 // one for bootstrap
	if free < 0 {
		return Package{}, fmt.Errorf("%w: Cannot reference more than %d layers: %d are named by the annotation com.openfaas.lambda/layers, and one is needed for bootstrap",
			bundle.ErrTooLarge, MaxLayers, spec.OwnLayers)
	}
	l := &layering{spec: spec, img: img, options: options, in: in, store: packageStore{dir: p.opts.CacheDir}, cache: in.Cache}
	if l.cache == nil {
		dir, err := os.MkdirTemp("", "faas-lambda-")
		if err != nil {
			return Package{}, fmt.Errorf("create directory for layers: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		if l.cache, err = layercache.Open(dir, 0); err != nil {
			return Package{}, err
		}
	}
	moved, err := relocate.Relocate(flat.Tree, img.Config, options)
	if err != nil {
		return Package{}, err
	}
	anchored, err := relocate.Anchors(flat.Tree, moved, options)
	if err != nil {
		return Package{}, err
	}
	moved.Start.Env = append(moved.Start.Env, anchored.Env...)
	return l.write(ctx, w, moved, anchored.Paths, sharedLayers(img.Layers(), free))
}

// write makes the bases, cuts, and writes all zips.
func (l *layering) write(ctx context.Context, w io.Writer, moved *relocate.Result, own []string, ends []int) (_ Package, err error) {
	bases := make([]*layers.Tree, len(ends))
	for i, end := range ends {
		flat, err := flatten.Flatten(ctx, l.img.Layers()[:end], flatten.Options{Cache: l.cache})
		if err != nil {
			return Package{}, err
		}
		defer func() { err = errors.Join(err, flat.Close()) }()
		base := relocate.Options{Prefix: root, KeepAll: l.options.KeepAll, Facts: l.options.Facts}
		if bases[i], err = relocate.Base(flat.Tree, l.spec.Arch, base); err != nil {
			return Package{}, err
		}
	}
	parts, err := layercut.Cut(moved.Tree, bases, layercut.Options{Prefix: root, Own: own, Work: l.img.Config.Dir})
	if err != nil {
		return Package{}, err
	}
	if err := l.add(ctx, bundle.Package{Bootstrap: l.in.Bootstrap, Cache: l.in.Cache}, "bootstrap"); err != nil {
		return Package{}, err
	}
	for i, tree := range parts.Layers {
		if tree == nil {
			continue
		}
		of := "layers of images up to " + l.img.Layers()[ends[i]-1].Digest
		if err := l.add(ctx, bundle.Package{Tree: tree, Cache: l.in.Cache}, of); err != nil {
			return Package{}, err
		}
	}
	in := l.in
	in.Root, in.Tree, in.Start, in.Bootstrap = root, parts.Function, moved.Start, nil
	summary, err := bundle.Write(ctx, w, in)
	if err != nil {
		return Package{}, fmt.Errorf("write package: %w", err)
	}
	if err := l.fits(summary); err != nil {
		return Package{}, err
	}
	return Package{Type: Layers, Env: moved.Start.Env, Dir: moved.Start.Dir, LeftOut: moved.LeftOut, Summary: summary, Parts: l.parts}, nil
}

// add writes the zip of a Lambda layer into the cache, under its digest.
func (l *layering) add(ctx context.Context, in bundle.Package, of string) error {
	part, err := l.store.addPart(func(w io.Writer) (bundle.Summary, error) { return bundle.WritePart(ctx, w, in) })
	if err != nil {
		return err
	}
	part.Of = of
	l.parts = append(l.parts, part)
	return nil
}

// fits refuses what Lambda would, in its words (recorded on the real service).
func (l *layering) fits(function bundle.Summary) error {
	total := function.Unzipped
	for _, part := range l.parts {
		total += part.Summary.Unzipped
	}
	if total > bundle.MaxUnzipped {
		return fmt.Errorf("%w: Function code combined with layers exceeds the maximum allowed size of %d bytes. The actual size is %d bytes.", //nolint:revive,staticcheck // AWS's sentence
			bundle.ErrTooLarge, int64(bundle.MaxUnzipped), total)
	}
	return nil
}
