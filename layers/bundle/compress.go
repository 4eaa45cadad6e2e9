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
	files    []io.Closer
	scratch  string
}

// compress compresses what of the tree is not, on all cores, or finds it in the
// cache, where what is new of it goes. Every size is known before the zip is
// begun, so that its bytes do not tell what was cached.
func compress(ctx context.Context, tree *layers.Tree, p Package) (_ *compressed, err error) {
	c := &compressed{contents: map[string]*press.Content{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	todo, err := c.find(ctx, tree, p.Cache)
	if err != nil || len(todo) == 0 {
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
	}
	file, err := store.Create()
	if err != nil {
		return nil, err
	}
	c.files = append(c.files, file)
	if err := c.fill(ctx, todo, file, p.Workers); err != nil {
		return nil, err
	}
	if p.Cache != nil {
		return c, c.keep(todo, file, p.Cache)
	}
	return c, nil
}

// find returns the entries whose contents must be compressed, each content once.
func (c *compressed) find(ctx context.Context, tree *layers.Tree, store *cache.Cache) ([]layers.Entry, error) {
	var (
		todo  []layers.Entry
		blobs = map[string]*keptBlob{}
	)
	for e := range tree.All() {
		if e.Type != layers.File || e.Size == 0 {
			continue
		}
		if _, ok := e.Content.(layers.DeflatedContent); ok || c.contents[id(e)] != nil {
			continue
		}
		known, err := c.cached(ctx, e, store, blobs)
		if err != nil {
			return nil, err
		}
		if known == nil {
			todo = append(todo, e)
			known = &press.Content{}
		}
		c.contents[id(e)] = known
	}
	return todo, nil
}

// fill compresses the contents of todo into file.
func (c *compressed) fill(ctx context.Context, todo []layers.Entry, file *cache.Writer, workers int) error {
	streams := make([]*press.Stream, len(todo))
	err := press.Run(ctx, workers, 1, func(ctx context.Context, p *press.Press) error {
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
		return both.Wait()
	})
	if err != nil {
		return err
	}
	source := &press.Source{File: file}
	for i, e := range todo {
		*c.contents[id(e)] = press.Content{Stream: *streams[i], Number: i, Source: source}
	}
	return nil
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
	var errs []error
	for _, f := range c.files {
		errs = append(errs, f.Close())
	}
	if c.scratch != "" {
		errs = append(errs, os.RemoveAll(c.scratch))
	}
	return errors.Join(errs...)
}
