package flatten

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/mholt/archives"
)

// zstdWindow is the largest window that a zstd layer may ask for; the strongest
// level of common encoders uses 32 MiB.
const zstdWindow = 64 << 20

// source is the blob of a layer: it reports progress and remembers the first
// error, to tell a broken transfer from broken content.
type source struct {
	r    io.Reader
	n    int64
	tell func(done int64)
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	s.tell(s.n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// stream is the uncompressed tar of a layer, counted against the limits and
// digested while it is read.
type stream struct {
	src    *source
	buf    *bufio.Reader // between src and tar, unread after the decompressor's end
	tar    io.ReadCloser
	sum    hash.Hash // nil when the image names no DiffID
	diffID string
	budget *budget
	used   *usage
}

func openStream(ctx context.Context, blob io.Reader, diffID string, b *budget, u *usage, tell func(int64)) (*stream, error) {
	s := &stream{src: &source{r: blob, tell: tell}, diffID: diffID, budget: b, used: u}
	switch algorithm, _, _ := strings.Cut(diffID, ":"); algorithm {
	case "":
	case "sha256":
		s.sum = sha256.New()
	case "sha512":
		s.sum = sha512.New()
	default:
		return nil, fmt.Errorf("%w: unknown algorithm in diff id %q", ErrDigest, diffID)
	}
	s.buf = bufio.NewReaderSize(s.src, 64<<10)
	var err error
	if s.tar, err = decompress(ctx, s.buf); err != nil {
		return nil, s.cause(err)
	}
	return s, nil
}

// decompress chooses by the first bytes, because media types are not to be
// relied on: docker-archive layers have none, and builders mislabel zstd.
func decompress(ctx context.Context, r *bufio.Reader) (io.ReadCloser, error) {
	head, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for _, format := range []interface {
		archives.Format
		archives.Decompressor
	}{
		archives.Gz{},
		archives.Zstd{DecoderOptions: []zstd.DOption{
			zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow),
		}},
	} {
		match, err := format.Match(ctx, "", bytes.NewReader(head))
		if err != nil {
			return nil, err
		}
		if match.ByStream {
			return format.OpenReader(r)
		}
	}
	return io.NopCloser(r), nil
}

// cause turns an error of the decompressor into what is behind it.
func (s *stream) cause(err error) error {
	if s.src.err != nil {
		return s.src.err
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.tar.Read(p)
	if s.sum != nil {
		s.sum.Write(p[:n])
	}
	if limit := s.budget.read(s.used, int64(n)); limit != nil {
		return n, limit
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = s.cause(err)
	}
	return n, err
}

// finish reads what lies behind the tar's end, so that the whole blob has been
// verified, and compares the DiffID.
func (s *stream) finish() error {
	if _, err := io.Copy(io.Discard, s); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, s.buf); err != nil {
		return s.cause(err)
	}
	if s.sum == nil {
		return nil
	}
	algorithm, want, _ := strings.Cut(s.diffID, ":")
	if got := hex.EncodeToString(s.sum.Sum(nil)); got != want {
		return fmt.Errorf("%w: uncompressed layer is %s:%s, the image says %s", ErrDigest, algorithm, got, s.diffID)
	}
	return nil
}
