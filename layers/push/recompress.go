package push

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/faas-lambda/faas-lambda/layers"
)

// maxWindow bounds what a zstd stream may ask to be kept in memory; registries'
// tools use 8 MB at most.
const maxWindow = 128 << 20

// recompress writes a layer that is a plain tar, or compressed by zstd, to a
// file, compressed by gzip. Digest and size of the original are checked by its
// reader.
func recompress(ctx context.Context, l layers.Layer, file *os.File) (_ v1.Descriptor, err error) {
	blob, err := l.Open(ctx)
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	buffered := bufio.NewReaderSize(blob, 1<<20)
	var plain io.Reader = buffered
	start, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		return v1.Descriptor{}, err
	}
	switch {
	case bytes.Equal(start, []byte{0x28, 0xb5, 0x2f, 0xfd}): // RFC 8878, 3.1.1
		d, err := zstd.NewReader(buffered, zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return v1.Descriptor{}, err
		}
		defer d.Close()
		plain = d
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}): // gzip after all, RFC 1952
		d, err := gzip.NewReader(buffered)
		if err != nil {
			return v1.Descriptor{}, err
		}
		plain = d
	}
	sum := digest.SHA256.Digester()
	size := &counter{}
	packed, err := gzip.NewWriterLevel(io.MultiWriter(file, sum.Hash(), size), gzip.DefaultCompression)
	if err != nil {
		return v1.Descriptor{}, err
	}
	_, err = io.Copy(packed, plain)
	if err := errors.Join(err, packed.Close()); err != nil {
		return v1.Descriptor{}, err
	}
	if _, err := io.Copy(io.Discard, buffered); err != nil { // to the end that verifies it
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: types.OCILayer, Size: size.n, Digest: hash(sum.Digest())}, nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
