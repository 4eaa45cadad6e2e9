// Package flatten turns the layers of an image into one Tree: whiteouts and
// opaque directories are applied, hard links resolved, hostile entries refused.
// Nothing is ever unpacked: the contents of files go, compressed, into one
// file a layer, from which the Tree's contents are read. In a cache these files
// outlive the Tree, and a layer that is there is not read again.
package flatten

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/cache"
	"github.com/faas-lambda/faas-lambda/layers/press"
	"golang.org/x/sync/errgroup"
)

// Errors of Flatten, for errors.Is. The text around them names the layer and
// the entry.
var (
	ErrUnsafePath = errors.New("unsafe path")
	ErrLink       = errors.New("invalid link")
	ErrLimit      = errors.New("image exceeds a limit")
	ErrDigest     = errors.New("content does not match its digest")
	ErrCorrupt    = errors.New("layer is damaged")
)

// openLayers is how many layers are read at a time: enough to keep a
// connection busy while the cores compress.
const openLayers = 3

// Options of Flatten. The zero value is usable.
type Options struct {
	Cache    *cache.Cache // keeps what layers hold; nil means a directory that Close removes
	TempDir  string       // where that directory is made; empty means os.TempDir
	Workers  int          // how many goroutines compress; 0 means one a core
	Limits   Limits
	Progress layers.Progress // may be nil
}

// Result is the flattened image. Its Tree reads from files that Close closes.
type Result struct {
	Tree    *layers.Tree
	Layers  []LayerInfo      // the lowest first
	LeftOut []layers.LeftOut // what a package cannot hold: devices, pipes, …
	Xattrs  int              // entries whose extended attributes were left out

	scratch string // to be removed; may be empty
	files   []io.Closer
}

// LayerInfo says what one layer brings.
type LayerInfo struct {
	Digest  string
	Entries int64 // of its tar
	Bytes   int64 // of its files, uncompressed
	Cached  bool  // it was not read again
}

// Flatten reads every layer once, and returns the root that they make together,
// the lowest at list[0]. The same layers give the same Tree, compressed to the
// same bytes, however many workers there are and whatever was cached. Memory
// depends on the workers and the number of entries, not on the size of the
// files.
//
// The caller closes the result; after an error nothing is left behind but whole
// layers in the cache.
func Flatten(ctx context.Context, list []layers.Layer, opts Options) (*Result, error) {
	r := &Result{}
	store := opts.Cache
	if store == nil {
		var err error
		if r.scratch, err = os.MkdirTemp(opts.TempDir, "faas-lambda-"); err != nil {
			return nil, fmt.Errorf("create directory for layers: %w", err)
		}
		if store, err = cache.Open(r.scratch, 0); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	indexes, err := r.read(ctx, list, store, opts)
	if err == nil {
		err = r.merge(list, indexes)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// read reads all layers into files and indexes.
func (r *Result) read(ctx context.Context, list []layers.Layer, store *cache.Cache, opts Options) ([]*index, error) {
	var (
		budget  = newBudget(opts.Limits)
		indexes = make([]*index, len(list))
		files   = make([]io.Closer, len(list))
	)
	err := press.Run(ctx, opts.Workers, openLayers, func(ctx context.Context, p *press.Press) error {
		readers, ctx := errgroup.WithContext(ctx)
		readers.SetLimit(openLayers)
		// The top layer first: it is what changes, and so what is not cached.
		for i, layer := range slices.Backward(list) {
			readers.Go(func() (err error) {
				in := reader{layer: layer, store: store, keep: opts.Cache != nil, budget: budget, press: p, tell: progress(opts.Progress, layer, i, len(list))}
				indexes[i], files[i], err = in.index(ctx)
				if err != nil {
					return fmt.Errorf("read layer %d of %d, %s: %w", i+1, len(list), layer.Digest, err)
				}
				return nil
			})
		}
		return readers.Wait()
	})
	for _, f := range files {
		if f != nil {
			r.files = append(r.files, f)
		}
	}
	return indexes, err
}

func progress(p layers.Progress, layer layers.Layer, part, parts int) func(done int64) {
	if p == nil {
		return func(int64) {}
	}
	return func(done int64) {
		p(layers.Step{
			Stage: layers.StageRead, Part: part, Parts: parts,
			Name: layer.Digest, Done: done, Total: layer.Size,
		})
	}
}

// merge lays the indexes over one another.
func (r *Result) merge(list []layers.Layer, indexes []*index) error {
	root := newDir()
	for i, x := range indexes {
		indexes[i] = nil
		x, err := x.expand()
		if err == nil {
			err = x.resolveLinks(root)
		}
		if err != nil {
			return fmt.Errorf("read layer %d of %d, %s: %w", i+1, len(list), list[i].Digest, err)
		}
		apply(root, x.root)
		r.LeftOut = append(r.LeftOut, x.leftOut...)
		r.Xattrs += x.xattrs
		r.Layers = append(r.Layers, LayerInfo{Digest: list[i].Digest, Entries: x.used.entries, Bytes: x.used.content, Cached: x.cached})
	}
	tree, err := layers.NewTree(root.entries(nil, ""))
	if err != nil {
		return fmt.Errorf("flatten image: %w", err)
	}
	r.Tree = tree
	return nil
}

// Close closes the files. The contents of the Tree cannot be read after it.
func (r *Result) Close() error {
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.Close())
	}
	r.files = nil
	if r.scratch != "" {
		errs = append(errs, os.RemoveAll(r.scratch))
	}
	return errors.Join(errs...)
}
