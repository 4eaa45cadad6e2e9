package flatten

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/cache"
	"github.com/faas-lambda/faas-lambda/layers/press"
)

// reader makes the index of one layer, from the cache or from its blob.
type reader struct {
	layer  layers.Layer
	store  *cache.Cache
	keep   bool // the layer is to stay in store
	budget *budget
	press  *press.Press
	tell   func(done int64)
}

// name is what the layer is called in the cache: by what its registry says the
// blob is and what the image says is in it, so that one that was refused because
// the two do not match is always refused.
func (r reader) name() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{formatVersion, press.Version, r.layer.Digest, r.layer.DiffID}, "\x00")))
	return "layer-" + hex.EncodeToString(sum[:16])
}

// index returns the layer's index and the file of its contents, which the
// caller closes.
func (r reader) index(ctx context.Context) (*index, io.Closer, error) {
	if !r.keep {
		return r.read(ctx)
	}
	blob, err := r.store.Open(ctx, r.name())
	if errors.Is(err, cache.ErrMiss) {
		return r.read(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	x, err := decodeIndex(blob.Index, r.source(blob))
	if err != nil { // written by a program that meant something else
		return r.readInstead(ctx, blob)
	}
	x.setLayer(r.layer.Digest)
	x.cached = true
	if err := r.budget.take(x.used); err != nil {
		return nil, nil, errors.Join(err, blob.Close())
	}
	r.tell(r.layer.Size)
	return x, blob, nil
}

func (r reader) readInstead(ctx context.Context, blob io.Closer) (*index, io.Closer, error) {
	if err := blob.Close(); err != nil {
		return nil, nil, fmt.Errorf("close cached layer: %w", err)
	}
	return r.read(ctx)
}

// source is what the layer's contents have in common. How they are numbered is
// the format's matter. The layer's digest comes first: see layers.LayerOf.
func (r reader) source(f io.ReaderAt) *press.Source {
	return &press.Source{File: f, Prefix: r.layer.Digest + " " + r.layer.DiffID + " " + formatVersion}
}

// read reads the layer's blob to its end, its contents into a file.
func (r reader) read(ctx context.Context) (_ *index, _ io.Closer, err error) {
	file, err := r.store.Create()
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	x := &index{layer: r.layer.Digest, root: newDir(), budget: r.budget}
	into := contents{spool: press.NewSpool(file, r.press), source: r.source(file)}
	if err := r.fill(ctx, x, &into); err != nil {
		return nil, nil, err
	}
	into.settle()
	encoded := x.encode(into.list)
	if r.keep {
		if err := file.Commit(r.name(), encoded); err != nil {
			return nil, nil, err
		}
	}
	// Nodes take ten times the memory of what they are encoded to: they come
	// back one layer at a time, when the layers are merged.
	return &index{layer: x.layer, used: x.used, encoded: encoded, source: into.source}, file, nil
}

// fill reads the blob: one goroutine takes the tar apart, another one writes.
func (r reader) fill(ctx context.Context, x *index, into *contents) (err error) {
	blob, err := r.layer.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return into.spool.Write(ctx) })
	both.Go(func() (err error) {
		defer into.spool.Close()
		in, err := openStream(ctx, blob, r.layer.DiffID, r.budget, &x.used, r.tell)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, in.tar.Close()) }()
		if err := x.read(ctx, in, into.add); err != nil {
			return err
		}
		return in.finish()
	})
	return both.Wait()
}

// contents are the contents of a layer's files, in the order of its tar.
type contents struct {
	spool   *press.Spool
	source  *press.Source
	streams []*press.Stream
	list    []*press.Content
}

// add takes size bytes from r. The content can be opened after settle.
func (c *contents) add(ctx context.Context, r io.Reader, size int64) (layers.Content, error) {
	if size == 0 {
		return empty{}, nil
	}
	stream, err := c.spool.Add(ctx, r, size)
	if err != nil {
		return nil, err
	}
	content := &press.Content{Number: len(c.list), Source: c.source}
	c.streams, c.list = append(c.streams, stream), append(c.list, content)
	return content, nil
}

// settle gives the contents their places, once the spool has written them.
func (c *contents) settle() {
	for i, s := range c.streams {
		c.list[i].Stream = *s
	}
	c.streams = nil
}

// empty is the content of an empty file.
type empty struct{}

func (empty) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }
