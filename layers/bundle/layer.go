package bundle

import (
	"archive/tar"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/layers"
)

// Where a container image finds its secrets, as OpenFaaS mounts them, and where
// bootstrap writes them: a function can write to /tmp only. See docs/secrets.md.
const (
	secretsLink   = "var/openfaas/secrets"
	secretsTarget = "/tmp/.faas-lambda/secrets"
)

// Entrypoint is that of an image with the layer that WriteLayer writes.
const Entrypoint = launch.Root + "/" + bootstrapFile

// Layer says what WriteLayer wrote.
type Layer struct {
	Digest string // of the compressed layer, "sha256:…"
	DiffID string // of the tar in it
	Size   int64  // of the compressed layer in bytes
}

// WriteLayer writes, as a layer for the top of an image, what makes a function of
// Lambda's out of it: bootstrap and launch.json under /var/task, the link to the
// secrets, and what else is added, in the order of paths. p has no tree, and its
// root is "/". Directories that are not named are not written: they are what the
// image has, or made by whoever unpacks the layer. The same input gives the same
// bytes.
func WriteLayer(ctx context.Context, w io.Writer, p Package, added []layers.Entry) (_ Layer, err error) {
	spec, err := p.spec()
	if err != nil {
		return Layer{}, err
	}
	task := strings.TrimPrefix(launch.Root, "/")
	entries := append(slices.Clone(added),
		file(path.Join(task, bootstrapFile), 0o755, len(p.Bootstrap), newProgram(p.Bootstrap)),
		file(path.Join(task, launch.File), 0o644, len(spec), content(spec)),
		layers.Entry{Path: secretsLink, Type: layers.Symlink, Link: secretsTarget})
	out, diff := newOutput(w), sha256.New()
	if err := cmp.Or(pack(ctx, out, diff, entries), out.close()); err != nil {
		return Layer{}, fmt.Errorf("write layer: %w", err)
	}
	return Layer{Digest: "sha256:" + hex.EncodeToString(out.sum.Sum(nil)), DiffID: "sha256:" + hex.EncodeToString(diff.Sum(nil)), Size: out.n}, nil
}

// pack writes entries as a tar to diff and, compressed, to w.
func pack(ctx context.Context, w, diff io.Writer, entries []layers.Entry) error {
	packed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(io.MultiWriter(packed, diff))
	for _, e := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := addToLayer(archive, e); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
	}
	return errors.Join(archive.Close(), packed.Close())
}

// addToLayer adds an entry, owned by root, of no time.
func addToLayer(archive *tar.Writer, e layers.Entry) (err error) {
	h := &tar.Header{Name: e.Path, Mode: int64(e.Mode.Perm()), Typeflag: tar.TypeReg, Size: e.Size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	switch e.Type {
	case layers.Dir:
		h.Name, h.Typeflag, h.Size = e.Path+"/", tar.TypeDir, 0
	case layers.Symlink:
		h.Typeflag, h.Linkname, h.Mode, h.Size = tar.TypeSymlink, e.Link, 0o777, 0
	}
	if err := archive.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg || e.Size == 0 {
		return err
	}
	in, err := e.Content.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	_, err = io.Copy(archive, in)
	return err
}
