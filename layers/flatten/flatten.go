// Package flatten turns the layers of an image into one Tree: whiteouts and
// opaque directories are applied, hard links resolved, hostile entries refused.
// Nothing is ever unpacked: the contents of files go, compressed, into one
// spool file a layer, from which the Tree's contents are read.
package flatten

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/faas-lambda/faas-lambda/layers"
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

// maxWorkers bounds the memory that a machine with many cores would spend.
const maxWorkers = 16

// openLayers is how many layers are read at a time: enough to keep a
// connection busy while the cores compress.
const openLayers = 3

// Options of Flatten. The zero value is usable.
type Options struct {
	TempDir  string // where the spool files go; empty means os.TempDir
	Workers  int    // how many goroutines compress; 0 means one a core
	Limits   Limits
	Progress layers.Progress // may be nil
}

// Result is the flattened image. Its Tree reads from files that Close removes.
type Result struct {
	Tree    *layers.Tree
	LeftOut []layers.LeftOut // what a package cannot hold: devices, pipes, …
	Xattrs  int              // entries whose extended attributes were left out

	dir    string
	spools []*spool
}

// Flatten reads every layer once, from the lowest at list[0], and returns the
// root that they make together. The same layers give the same Tree, compressed
// to the same bytes, however many workers there are. Memory depends on the
// workers and the number of entries, not on the size of the files.
//
// The caller closes the result; after an error nothing is left behind.
func Flatten(ctx context.Context, list []layers.Layer, opts Options) (*Result, error) {
	dir, err := os.MkdirTemp(opts.TempDir, "faas-lambda-")
	if err != nil {
		return nil, fmt.Errorf("create directory for layers: %w", err)
	}
	r := &Result{dir: dir}
	indexes, err := r.read(ctx, list, opts)
	if err == nil {
		err = r.merge(list, indexes)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// read reads all layers into their spool files and indexes.
func (r *Result) read(ctx context.Context, list []layers.Layer, opts Options) ([]*index, error) {
	workers := opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var (
		press   = newPress(min(workers, maxWorkers))
		budget  = newBudget(opts.Limits)
		indexes = make([]*index, len(list))
	)
	for i := range list {
		s, err := newSpool(r.dir, i, press)
		if err != nil {
			return nil, err
		}
		r.spools = append(r.spools, s)
	}
	all, ctx := errgroup.WithContext(ctx)
	for range press.workers {
		all.Go(func() error { return press.work(ctx) })
	}
	all.Go(func() error {
		defer press.close()
		readers, ctx := errgroup.WithContext(ctx)
		readers.SetLimit(openLayers)
		for i, layer := range list {
			readers.Go(func() (err error) {
				tell := progress(opts.Progress, layer, i, len(list))
				indexes[i], err = readLayer(ctx, layer, r.spools[i], budget, tell)
				if err != nil {
					return fmt.Errorf("read layer %d of %d, %s: %w", i+1, len(list), layer.Digest, err)
				}
				return nil
			})
		}
		return readers.Wait()
	})
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return indexes, nil
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
		if err := x.resolveLinks(root); err != nil {
			return fmt.Errorf("read layer %d of %d, %s: %w", i+1, len(list), list[i].Digest, err)
		}
		apply(root, x.root)
		r.LeftOut = append(r.LeftOut, x.leftOut...)
		r.Xattrs += x.xattrs
	}
	tree, err := layers.NewTree(root.entries(nil, ""))
	if err != nil {
		return fmt.Errorf("flatten image: %w", err)
	}
	r.Tree = tree
	return nil
}

// Close removes the spool files. The contents of the Tree cannot be read after
// it.
func (r *Result) Close() error {
	var errs []error
	for _, s := range r.spools {
		errs = append(errs, s.file.Close())
	}
	r.spools = nil
	errs = append(errs, os.RemoveAll(r.dir))
	return errors.Join(errs...)
}
