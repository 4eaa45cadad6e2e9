package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/pkg/blobinfocache/none"
	"go.podman.io/image/v5/types"
)

// check refuses a descriptor that cannot be verified.
func check(d v1.Descriptor) error {
	if err := d.Digest.Validate(); err != nil {
		return fmt.Errorf("%w: digest %q: %w", ErrInvalid, d.Digest, err)
	}
	if d.Size < 0 {
		return fmt.Errorf("%w: size %d of %s", ErrInvalid, d.Size, d.Digest)
	}
	return nil
}

// readBlob returns a whole small blob.
func (i *Image) readBlob(ctx context.Context, d v1.Descriptor, limit int64) (_ []byte, err error) {
	if err := check(d); err != nil {
		return nil, err
	}
	if d.Size > limit {
		return nil, fmt.Errorf("%w: %s has %d bytes, more than %d", ErrInvalid, d.Digest, d.Size, limit)
	}
	r, err := i.open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r) // at most d.Size
}

// opener returns the Open of a layer.
func (i *Image) opener(d v1.Descriptor) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) {
		r, err := i.open(ctx, d)
		if err != nil {
			where := reference{}
			if named := i.src.Reference().DockerReference(); named != nil && i.src.Reference().Transport().Name() == "docker" {
				where.registry = named.Name()
			}
			return nil, fmt.Errorf("open layer %s: %w", d.Digest, where.classify(ctx, err))
		}
		return r, nil
	}
}

func (i *Image) open(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	if !i.src.HasThreadSafeGetBlob() {
		i.mu.Lock()
		defer i.mu.Unlock()
	}
	r, _, err := i.src.GetBlob(ctx, types.BlobInfo{Digest: d.Digest, Size: d.Size, MediaType: d.MediaType}, none.NoCache)
	if err != nil {
		return nil, err
	}
	return &verified{blob: r, left: d.Size, want: d, sum: d.Digest.Verifier()}, nil
}

// verified reads a blob and ends in io.EOF only when it had the size and the
// digest that its descriptor says; it reads no byte more.
type verified struct {
	blob io.ReadCloser
	left int64
	want v1.Descriptor
	sum  digest.Verifier
	err  error
}

func (v *verified) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if v.left == 0 {
		v.err = v.end()
		return 0, v.err
	}
	n, err := v.blob.Read(p[:min(int64(len(p)), v.left)])
	v.left -= int64(n)
	if _, sumErr := v.sum.Write(p[:n]); sumErr != nil {
		err = sumErr
	}
	switch {
	case errors.Is(err, io.EOF) && v.left > 0:
		v.err = fmt.Errorf("%w: %s ended after %d of %d bytes", ErrDigest, v.want.Digest, v.want.Size-v.left, v.want.Size)
	case err != nil && !errors.Is(err, io.EOF):
		v.err = fmt.Errorf("%w: read %s: %w", ErrUnavailable, v.want.Digest, err)
	}
	return n, v.err
}

// end checks what lies behind the last byte, and the digest.
func (v *verified) end() error {
	var more [1]byte
	n, err := io.ReadFull(v.blob, more[:])
	switch {
	case n > 0:
		return fmt.Errorf("%w: %s is larger than the %d bytes it should have", ErrDigest, v.want.Digest, v.want.Size)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%w: read %s: %w", ErrUnavailable, v.want.Digest, err)
	case !v.sum.Verified():
		return fmt.Errorf("%w: the bytes of %s have another", ErrDigest, v.want.Digest)
	}
	return io.EOF
}

func (v *verified) Close() error { return v.blob.Close() }
