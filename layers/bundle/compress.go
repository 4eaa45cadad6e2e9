package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/cache"
	"github.com/faas-lambda/faas-lambda/layers/press"
)

// compressed is what of a tree had to be compressed: what relocation changed and
// what the package adds. Everything else is compressed since its layer was read.
type compressed struct {
	contents map[string]*press.Content // by id
	kept     kept
	files    []io.Closer
	scratch  string
}

// compress compresses what of the tree is not, on all cores, or finds it in the
// cache, where what is new of it and has a key goes. Every size is known before
// the zip is begun, so that its bytes do not tell what was cached.
func compress(ctx context.Context, tree *layers.Tree, p Package) (_ *compressed, err error) {
	c := &compressed{contents: map[string]*press.Content{}, kept: kept{store: p.Cache, blobs: map[string]*keptBlob{}}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	keyed, loose, err := c.find(ctx, tree)
	if err != nil || len(keyed)+len(loose) == 0 {
		return c, err
	}
	store := p.Cache
	if store == nil {
		if c.scratch, err = os.MkdirTemp(p.TempDir, "faas-lambda-"); err != nil {
			return nil, fmt.Errorf("create directory for contents: %w", err)
		}
		if store, err = cache.Open(c.scratch, 0); err != nil {
			return nil, err
		}
		keyed, loose = nil, append(keyed, loose...)
	}
	err = press.Run(ctx, p.Workers, 1, func(ctx context.Context, p *press.Press) error {
		file, err := c.fill(ctx, keyed, store, p)
		if err == nil && file != nil {
			err = c.keep(keyed, file)
		}
		if err == nil {
			_, err = c.fill(ctx, loose, store, p)
		}
		return err
	})
	return c, err
}

// find returns the entries whose contents must be compressed, each content
// once: those with a key and those without.
func (c *compressed) find(ctx context.Context, tree *layers.Tree) (keyed, loose []layers.Entry, err error) {
	for e := range tree.All() {
		if e.Type != layers.File || e.Size == 0 {
			continue
		}
		if _, ok := e.Content.(layers.DeflatedContent); ok || c.contents[id(e)] != nil {
			continue
		}
		known, err := c.kept.find(ctx, e)
		switch {
		case err != nil:
			return nil, nil, err
		case known != nil:
		case key(e.Content) != "":
			known, keyed = &press.Content{}, append(keyed, e)
		default:
			known, loose = &press.Content{}, append(loose, e)
		}
		c.contents[id(e)] = known
	}
	return keyed, loose, nil
}

// fill compresses the contents of todo into a new file, which it returns; there
// is none when there is nothing to do.
func (c *compressed) fill(ctx context.Context, todo []layers.Entry, store *cache.Cache, p *press.Press) (*cache.Writer, error) {
	if len(todo) == 0 {
		return nil, nil
	}
	file, err := store.Create()
	if err != nil {
		return nil, err
	}
	c.files = append(c.files, file)
	streams := make([]*press.Stream, len(todo))
	spool := press.NewSpool(file, p)
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return spool.Write(ctx) })
	both.Go(func() error {
		defer spool.Close()
		for i, e := range todo {
			var err error
			if streams[i], err = add(ctx, spool, e); err != nil {
				return fmt.Errorf("%s: %w", e.Path, err)
			}
		}
		return nil
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	source := &press.Source{File: file}
	for i, e := range todo {
		*c.contents[id(e)] = press.Content{Stream: *streams[i], Number: i, Source: source}
	}
	return file, nil
}

// keep puts a file with what was compressed into the cache.
func (c *compressed) keep(todo []layers.Entry, file *cache.Writer) error {
	list := make([]place, len(todo))
	for i, e := range todo {
		at := c.contents[id(e)]
		list[i] = place{key: key(e.Content), original: e.Size, offset: at.Offset, size: at.Size, crc: at.CRC32}
	}
	return c.kept.add(file, list)
}

// add gives the spool a file, which must be as long as the tree says.
func add(ctx context.Context, spool *press.Spool, e layers.Entry) (_ *press.Stream, err error) {
	in, err := e.Content.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	s, err := spool.Add(ctx, in, e.Size)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("content has fewer bytes than %d", e.Size)
	}
	if err != nil {
		return nil, err
	}
	if n, err := in.Read(make([]byte, 1)); n > 0 || err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("content has more bytes than %d", e.Size), err)
	}
	return s, nil
}

// id names the content of an entry in one tree: entries of one key share it.
func id(e layers.Entry) string {
	if k := key(e.Content); k != "" {
		return "key " + k
	}
	return "path " + e.Path
}

func key(c layers.Content) string {
	if k, ok := c.(layers.KeyedContent); ok {
		return k.Key()
	}
	return ""
}

// of returns an entry's content as the zip takes it.
func (c *compressed) of(e layers.Entry) layers.DeflatedContent {
	if d, ok := e.Content.(layers.DeflatedContent); ok {
		return d
	}
	return c.contents[id(e)]
}

func (c *compressed) close() error {
	errs := []error{c.kept.close()}
	for _, f := range c.files {
		errs = append(errs, f.Close())
	}
	if c.scratch != "" {
		errs = append(errs, os.RemoveAll(c.scratch))
	}
	return errors.Join(errs...)
}
