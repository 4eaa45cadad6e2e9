// Package packaging makes packages for Lambda out of images: zips, zips over Lambda
// layers, and the top layer of container images; and says what one would be. It keeps
// them in a cache and knows nothing of AWS's API.
package packaging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/bundle"
	layercache "github.com/faas-lambda/faas-lambda/layers/cache"
	"github.com/faas-lambda/faas-lambda/layers/flatten"
	"github.com/faas-lambda/faas-lambda/layers/image"
	"github.com/faas-lambda/faas-lambda/layers/managed"
	"github.com/faas-lambda/faas-lambda/layers/relocate"
)

// MaxDirect is the largest zip that Lambda's API takes by itself; larger ones
// come from S3 (docs.aws.amazon.com/lambda, "Lambda quotas").
const MaxDirect = 50 << 20

// root is where Lambda unpacks a zip (docs.aws.amazon.com/lambda, "Building a
// custom runtime": LAMBDA_TASK_ROOT).
const root = "/var/task"

// Options say how images are reached and where packages are kept.
// Bootstrap is required.
type Options struct {
	Bootstrap          func(arch string) ([]byte, error) // the bootstrap program for a processor
	CacheDir           string                            // of finished packages, and of layers; Write does without one
	CacheSize          int64                             // bytes of layers that are kept; 0 means 4 GiB
	Revision           string                            // of this program: another one makes packages anew
	Local              bool                              // allow references to files of this machine
	InsecureRegistries []string                          // may be reached over plain HTTP
	PullSecrets        []string                          // Kubernetes's imagePullSecrets: files or directories
	SignaturePolicy    string                            // file; empty means the usual places
	// Credentials returns user name and password for a registry that gives them to
	// whom it knows by other means, as ECR does; both empty for others. May be nil.
	Credentials func(ctx context.Context, registry string) (user, password string, err error)
}

// Packager turns images into packages for Lambda. It may be used concurrently,
// and makes few packages at a time: each needs processor and disk.
type Packager struct {
	opts  Options
	slots chan struct{}                     // one for each package being made
	cache func() (*layercache.Cache, error) // of layers; nil when there is none
}

// Step is one report of progress, for those who may not know the build half.
type Step = layers.Step

// Spec says what to package.
type Spec struct {
	Image     string          // reference
	Arch      string          // amd64 or arm64
	Process   string          // the deployment's envProcess; may be empty
	Env       []string        // the deployment's envVars, NAME=value, sorted
	KeepAll   bool            // keep what no function reads: manuals, headers and the like
	Type      string          // Zip, Layers, Image or Auto; empty means Zip
	OwnLayers int             // how many Lambda layers the function has besides those of its package
	Progress  layers.Progress // may be nil
}

// Package describes a finished package.
type Package struct {
	Type    string           // Zip, Layers or Image
	Reason  string           // why Auto did not become a zip; empty when it did, or was not asked for
	Path    string           // of the zip, or of the layer of an image; empty when it was written elsewhere
	Digest  string           // of the image's manifest
	Layers  int              // of the image
	Env     []string         // what the image's processes start with
	Dir     string           // where they start
	LeftOut []layers.LeftOut // what of the image is not in the package
	Summary bundle.Summary   // of a zip
	Top     bundle.Layer     // of an image
	Runtime string           // Lambda's own, when the image is made for it; empty means bootstrap's
	Handler string           // for Runtime
	Parts   []Layer          // of Layers: its Lambda layers, in the order in which they are unpacked
}

// Size is that of the file at Path, in bytes.
func (p Package) Size() int64 {
	if p.Type == Image {
		return p.Top.Size
	}
	return p.Summary.Zipped
}

// New returns a packager. Its cache is opened with the first image.
func New(opts Options) *Packager {
	return &Packager{opts: opts, slots: make(chan struct{}, 2), cache: sync.OnceValues(func() (*layercache.Cache, error) {
		if opts.CacheDir == "" {
			return nil, nil
		}
		return layercache.Open(filepath.Join(opts.CacheDir, "layers"), opts.CacheSize)
	})}
}

// Package returns the package of an image from the cache, making it first when
// it is not there. The file stays in the cache for a while after its last use.
func (p *Packager) Package(ctx context.Context, spec Spec) (Package, error) {
	var pkg Package
	err := p.with(ctx, spec, func(img *image.Image, bootstrap []byte) error {
		key := cacheKey(img.Digest, spec, bootstrap, p.opts.Revision)
		store := packageStore{dir: p.opts.CacheDir}
		cached, err := store.find(key)
		if err == nil {
			pkg = cached
			return nil
		}
		if !errors.Is(err, errNotCached) {
			return err
		}
		pkg, err = store.add(key, func(w io.Writer) (Package, error) {
			return p.write(ctx, spec, img, bootstrap, w)
		})
		return err
	})
	return pkg, imageError(spec.Image, err)
}

// Write makes the package of an image and writes its zip to w, past the cache.
func (p *Packager) Write(ctx context.Context, spec Spec, w io.Writer) (Package, error) {
	var pkg Package
	err := p.with(ctx, spec, func(img *image.Image, bootstrap []byte) error {
		var err error
		pkg, err = p.write(ctx, spec, img, bootstrap, w)
		return err
	})
	return pkg, imageError(spec.Image, err)
}

// with opens the image and gives it, and the bootstrap it needs, to do.
func (p *Packager) with(ctx context.Context, spec Spec, do func(*image.Image, []byte) error) (err error) {
	bootstrap, err := p.opts.Bootstrap(spec.Arch)
	if err != nil {
		return err
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	img, err := image.Open(ctx, spec.Image, image.Options{
		Arch: spec.Arch, Local: p.opts.Local, InsecureRegistries: p.opts.InsecureRegistries,
		PullSecrets: p.opts.PullSecrets, Policy: p.opts.SignaturePolicy, Credentials: p.opts.Credentials,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, img.Close()) }()
	return do(img, bootstrap)
}

// write is the whole way from an image to a zip.
func (p *Packager) write(ctx context.Context, spec Spec, img *image.Image, bootstrap []byte, w io.Writer) (pkg Package, err error) {
	kept, err := p.cache()
	if err != nil {
		return Package{}, err
	}
	flat, err := flatten.Flatten(ctx, img.Layers(), flatten.Options{Cache: kept, Progress: spec.Progress})
	if err != nil {
		return Package{}, err
	}
	defer func() { err = errors.Join(err, flat.Close(), settle(kept)) }()
	options := relocate.Options{Prefix: root, Process: spec.Process, Env: spec.Env, KeepAll: spec.KeepAll}
	if kept != nil {
		options.Facts = kept.Facts()
	}
	in := bundle.Package{Image: img.Digest, Bootstrap: bootstrap, Progress: spec.Progress, Cache: kept}
	base, own := managed.Detect(flat.Tree, img.Config, img.Layers())
	switch {
	case own && spec.Type == Image:
		return Package{}, fmt.Errorf("%w: it runs a handler on Lambda's own base: deploy it as a zip, or start it by a watchdog", bundle.ErrReserved)
	case own:
		pkg, err = writeManaged(ctx, w, flat, base, img, in)
	case spec.Type == Image:
		pkg, err = writeTop(ctx, w, flat, img, options, in)
	case spec.Type == Layers:
		pkg, err = p.writeLayered(ctx, w, flat, spec, img, options, in)
	default:
		pkg, err = writeZip(ctx, w, flat, img, options, in)
		if reason := needsImage(err); reason != nil && spec.Type == Auto {
			pkg, err = writeTop(ctx, w, flat, img, options, in)
			pkg.Reason = reason.Error()
		}
	}
	pkg.Digest, pkg.Layers, pkg.LeftOut = img.Digest, len(img.Layers()), append(flat.LeftOut, pkg.LeftOut...)
	return pkg, err
}

// writeZip writes the image as a zip whose files lie under root.
func writeZip(ctx context.Context, w io.Writer, flat *flatten.Result, img *image.Image, options relocate.Options, in bundle.Package) (Package, error) {
	moved, err := relocate.Relocate(flat.Tree, img.Config, options)
	if err != nil {
		return Package{}, err
	}
	in.Root, in.Tree, in.Start = root, moved.Tree, moved.Start
	summary, err := bundle.Write(ctx, w, in)
	if err != nil {
		return Package{}, fmt.Errorf("write package: %w", err)
	}
	return Package{Type: Zip, Env: moved.Start.Env, Dir: moved.Start.Dir, LeftOut: moved.LeftOut, Summary: summary}, nil
}

// settle writes down what was learnt and makes the cache small enough.
func settle(c *layercache.Cache) error {
	if c == nil {
		return nil
	}
	return errors.Join(c.Facts().Flush(), c.Prune())
}
