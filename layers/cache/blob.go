package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// A blob is a file of data, an index that its user understands, the checksums
// of the data's chunks, and a footer of fixed size:
//
//	data | index | crc32c of each chunk | footer
//
// The footer holds magic, the three sizes and a checksum of itself with the
// index and the checksums.
const (
	magic      = "faasblb1"
	footerSize = len(magic) + 3*8 + 4
	chunkSize  = 4 << 20
	maxIndex   = 1 << 30 // an index that claims more is damaged
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Writer is a blob that is being written. One goroutine uses it.
type Writer struct {
	cache *Cache
	file  *os.File
	size  int64
	sums  []byte // of the finished chunks
	sum   uint32 // of the one that is being written
	done  bool
}

// Create begins a blob. The caller ends it by Commit or Abort.
func (c *Cache) Create() (*Writer, error) {
	f, err := os.CreateTemp(c.dir, unfinished)
	if err != nil {
		return nil, fmt.Errorf("write to cache: %w", err)
	}
	return &Writer{cache: c, file: f}, nil
}

// Write appends data.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	for rest := p[:n]; len(rest) > 0; {
		part := rest[:min(int64(len(rest)), chunkSize-w.size%chunkSize)]
		w.sum = crc32.Update(w.sum, castagnoli, part)
		w.size += int64(len(part))
		if w.size%chunkSize == 0 {
			w.cut()
		}
		rest = rest[len(part):]
	}
	return n, err
}

func (w *Writer) cut() {
	w.sums = binary.LittleEndian.AppendUint32(w.sums, w.sum)
	w.sum = 0
}

// ReadAt reads data that was written.
func (w *Writer) ReadAt(p []byte, off int64) (int, error) { return w.file.ReadAt(p, off) }

// Commit makes the blob the one of that name, which another process may have
// made meanwhile. What was written can be read until Close.
func (w *Writer) Commit(name string, index []byte) error {
	if w.size%chunkSize != 0 {
		w.cut()
	}
	tail := append(bytes.Clone(index), w.sums...)
	tail = append(tail, magic...)
	for _, n := range []int64{w.size, int64(len(index)), int64(len(w.sums))} {
		tail = binary.LittleEndian.AppendUint64(tail, uint64(n))
	}
	tail = binary.LittleEndian.AppendUint32(tail, crc32.Checksum(tail, castagnoli))
	_, err := w.file.Write(tail)
	if err == nil {
		err = os.Rename(w.file.Name(), w.cache.path(name))
	}
	if err != nil {
		return fmt.Errorf("write to cache: %w", err)
	}
	w.done = true
	return nil
}

// Close closes the file, and removes it unless it was committed.
func (w *Writer) Close() error {
	err := w.file.Close()
	if !w.done {
		err = errors.Join(err, os.Remove(w.file.Name()))
	}
	return err
}

// Blob is a blob that is open. Several goroutines may read it.
type Blob struct {
	Index []byte
	file  *os.File
}

// ReadAt reads the blob's data.
func (b *Blob) ReadAt(p []byte, off int64) (int, error) { return b.file.ReadAt(p, off) }

// Close closes the blob.
func (b *Blob) Close() error { return b.file.Close() }

// Open returns the blob of that name, all of it checked, or ErrMiss. One that
// is damaged is removed.
func (c *Cache) Open(ctx context.Context, name string) (*Blob, error) {
	f, err := os.Open(c.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMiss
	}
	if err != nil {
		return nil, fmt.Errorf("read cache: %w", err)
	}
	b, err := check(ctx, f)
	if err == nil {
		now := time.Now()
		if err := os.Chtimes(f.Name(), now, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(fmt.Errorf("mark cached file as used: %w", err), f.Close())
		}
		return b, nil
	}
	if errors.Is(err, ErrMiss) {
		if gone := os.Remove(f.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = fmt.Errorf("remove damaged %s: %w", f.Name(), gone)
		}
	}
	return nil, errors.Join(err, f.Close())
}

// check reads footer and index and compares every checksum, on all cores.
func check(ctx context.Context, f *os.File) (*Blob, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read cache: %w", err)
	}
	size, index, sums, err := tail(f, info.Size())
	if err != nil {
		return nil, err
	}
	var (
		workers = int64(min(runtime.GOMAXPROCS(0), 8))
		chunks  = (size + chunkSize - 1) / chunkSize
	)
	group, ctx := errgroup.WithContext(ctx)
	for w := range min(workers, chunks) {
		group.Go(func() error {
			buf := make([]byte, 256<<10)
			for n := w; n < chunks && ctx.Err() == nil; n += workers {
				sum, err := checksum(f, buf, n*chunkSize, min(chunkSize, size-n*chunkSize))
				if err != nil {
					return err
				}
				if sum != binary.LittleEndian.Uint32(sums[4*n:]) {
					return fmt.Errorf("%w: damaged on the disk", ErrMiss)
				}
			}
			return context.Cause(ctx)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return &Blob{Index: index, file: f}, nil
}

func checksum(f io.ReaderAt, buf []byte, at, size int64) (sum uint32, err error) {
	for size > 0 {
		part := buf[:min(int64(len(buf)), size)]
		n, err := f.ReadAt(part, at)
		if n < len(part) {
			return 0, fmt.Errorf("%w: read: %w", ErrMiss, err)
		}
		sum = crc32.Update(sum, castagnoli, part)
		at, size = at+int64(n), size-int64(n)
	}
	return sum, nil
}

// tail reads what comes behind the data. It takes no size on trust.
func tail(f io.ReaderAt, total int64) (size int64, index, sums []byte, err error) {
	bad := fmt.Errorf("%w: no blob, or a damaged one", ErrMiss)
	footer := make([]byte, footerSize)
	if total < int64(footerSize) {
		return 0, nil, nil, bad
	}
	if _, err := f.ReadAt(footer, total-int64(footerSize)); err != nil {
		return 0, nil, nil, bad
	}
	var n [3]int64
	for i := range n {
		n[i] = int64(binary.LittleEndian.Uint64(footer[len(magic)+8*i:]))
		if n[i] < 0 || n[i] > total {
			return 0, nil, nil, bad
		}
	}
	behind := n[1] + n[2] + int64(footerSize)
	chunks := (n[0] + chunkSize - 1) / chunkSize
	if !bytes.HasPrefix(footer, []byte(magic)) || n[1] > maxIndex || n[0]+behind != total || n[2] != 4*chunks {
		return 0, nil, nil, bad
	}
	all := make([]byte, behind)
	if _, err := f.ReadAt(all, n[0]); err != nil {
		return 0, nil, nil, bad
	}
	end := len(all) - 4
	if crc32.Checksum(all[:end], castagnoli) != binary.LittleEndian.Uint32(all[end:]) {
		return 0, nil, nil, bad
	}
	return n[0], all[:n[1]:n[1]], all[n[1] : n[1]+n[2]], nil
}
