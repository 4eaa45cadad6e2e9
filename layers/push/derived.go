package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/faas-lambda/faas-lambda/layers"
)

// derived is the image that is pushed, as go-containerregistry takes one.
type derived struct {
	ctx         context.Context // of the Push that a derived is, as http.Request has one
	image       Image
	top         Top
	destination name.Repository
	temp        string

	config   []byte
	manifest []byte
	layers   map[v1.Hash]*layer
	files    []string // to be removed
}

// layer is one layer as it is pushed.
type layer struct {
	descriptor v1.Descriptor
	open       func() (io.ReadCloser, error)
}

// build settles configuration and manifest.
func (d *derived) build() error {
	config, err := extend(d.image.Config, d.top)
	if err != nil {
		return err
	}
	d.config, d.layers = config, map[v1.Hash]*layer{}
	m := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(len(config)), Digest: hash(digest.FromBytes(config))},
	}
	for _, l := range d.image.Layers {
		pushed, err := d.take(l)
		if err != nil {
			return err
		}
		d.layers[pushed.descriptor.Digest] = pushed
		m.Layers = append(m.Layers, pushed.descriptor)
	}
	top := &layer{
		descriptor: v1.Descriptor{MediaType: types.OCILayer, Size: d.top.Size, Digest: hash(digest.Digest(d.top.Digest))},
		open:       func() (io.ReadCloser, error) { return os.Open(d.top.File) },
	}
	d.layers[top.descriptor.Digest] = top
	m.Layers = append(m.Layers, top.descriptor)
	d.manifest, err = json.Marshal(m)
	return err
}

// take returns a layer of the image as Lambda takes it: by gzip.
func (d *derived) take(l layers.Layer) (*layer, error) {
	if strings.HasSuffix(l.MediaType, ".gzip") || strings.HasSuffix(l.MediaType, "+gzip") {
		return &layer{
			descriptor: v1.Descriptor{MediaType: types.OCILayer, Size: l.Size, Digest: hash(digest.Digest(l.Digest))},
			open:       func() (io.ReadCloser, error) { return l.Open(d.ctx) },
		}, nil
	}
	file, err := os.CreateTemp(d.temp, "faas-lambda-layer-")
	if err != nil {
		return nil, fmt.Errorf("compress layer %s: %w", l.Digest, err)
	}
	d.files = append(d.files, file.Name())
	descriptor, err := recompress(d.ctx, l, file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("compress layer %s: %w", l.Digest, err)
	}
	return &layer{descriptor: descriptor, open: func() (io.ReadCloser, error) { return os.Open(file.Name()) }}, nil
}

func (d *derived) close() error {
	var errs []error
	for _, f := range d.files {
		errs = append(errs, os.Remove(f))
	}
	return errors.Join(errs...)
}

// MediaType implements partial.CompressedImageCore.
func (d *derived) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// RawManifest implements partial.CompressedImageCore.
func (d *derived) RawManifest() ([]byte, error) { return d.manifest, nil }

// RawConfigFile implements partial.CompressedImageCore.
func (d *derived) RawConfigFile() ([]byte, error) { return d.config, nil }

// LayerByDigest implements partial.CompressedImageCore.
func (d *derived) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if l := d.layers[h]; l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("no layer %s", h)
}

func (l *layer) Digest() (v1.Hash, error)            { return l.descriptor.Digest, nil }
func (l *layer) Compressed() (io.ReadCloser, error)  { return l.open() }
func (l *layer) Size() (int64, error)                { return l.descriptor.Size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return l.descriptor.MediaType, nil }
func hash(d digest.Digest) v1.Hash {
	return v1.Hash{Algorithm: d.Algorithm().String(), Hex: d.Encoded()}
}
