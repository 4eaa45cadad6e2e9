package bundle

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/klauspost/compress/flate"
)

const (
	// level is the one that layers/flatten compresses with.
	level = 6
	// firstDay is the earliest date that a zip can name, 1980-01-01 (APPNOTE.TXT
	// 4.4.6): every entry has it, so that no clock shows in the bytes.
	firstDay = 1<<5 | 1
	// version is the version of the format that is needed to unpack (4.4.3).
	version = 20
	// utf8Name marks a name that is UTF-8 (4.4.4, bit 11).
	utf8Name = 1 << 11
)

// write writes the tree's entries in its order.
func write(ctx context.Context, w io.Writer, tree *layers.Tree, progress layers.Progress, total int64) error {
	buffered := bufio.NewWriterSize(w, 256<<10)
	z := zip.NewWriter(buffered)
	deflate, err := flate.NewWriter(io.Discard, level)
	if err != nil {
		return fmt.Errorf("create compressor: %w", err)
	}
	z.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		deflate.Reset(out)
		return deflate, nil
	})
	var done int64
	for e := range tree.All() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := writeEntry(z, e); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
		if done += e.Size; progress != nil && e.Type == layers.File {
			progress(layers.Step{Stage: layers.StageWrite, Parts: 1, Done: done, Total: total})
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

func writeEntry(z *zip.Writer, e layers.Entry) error {
	h := header(e)
	switch e.Type {
	case layers.Dir:
		h.Name += "/"
		h.SetMode(fs.ModeDir | widen(e.Mode))
		_, err := z.CreateRaw(h)
		return err
	case layers.Symlink:
		h.SetMode(fs.ModeSymlink | 0o777)
		return writeBytes(z, h, []byte(e.Link))
	}
	h.SetMode(widen(e.Mode))
	if e.Size == 0 {
		return writeBytes(z, h, nil)
	}
	h.Method = zip.Deflate
	h.UncompressedSize64 = uint64(e.Size)
	if c, ok := e.Content.(layers.DeflatedContent); ok {
		return copyDeflated(z, h, c)
	}
	return deflateContent(z, h, e)
}

// header returns what the entry's header has in common with every other's. In
// raw mode archive/zip sets none of it.
func header(e layers.Entry) *zip.FileHeader {
	h := &zip.FileHeader{
		Name: e.Path, Method: zip.Store, ModifiedDate: firstDay, //nolint:staticcheck // in raw mode nothing else sets the date, and Modified would add a field to every entry
		CreatorVersion: version, ReaderVersion: version,
	}
	ascii := !strings.ContainsFunc(e.Path, func(r rune) bool { return r >= utf8.RuneSelf })
	if !ascii && utf8.ValidString(e.Path) {
		h.Flags |= utf8Name
	}
	return h
}

// widen lets everybody read, and run or search, what the owner can: Lambda runs
// a function as an unprivileged user who owns none of its files. Setuid and
// setgid mean nothing there (nosuid) and are dropped.
func widen(m fs.FileMode) fs.FileMode {
	m &= fs.ModePerm
	owner := m >> 6 & 0o5
	return m | owner<<3 | owner
}

// writeBytes writes an entry as it is, with its sizes in front.
func writeBytes(z *zip.Writer, h *zip.FileHeader, data []byte) error {
	h.CRC32 = crc32.ChecksumIEEE(data)
	h.CompressedSize64, h.UncompressedSize64 = uint64(len(data)), uint64(len(data))
	w, err := z.CreateRaw(h)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func copyDeflated(z *zip.Writer, h *zip.FileHeader, c layers.DeflatedContent) (err error) {
	in, err := c.OpenDeflated()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Body.Close()) }()
	h.CRC32, h.CompressedSize64 = in.CRC32, uint64(in.Size)
	w, err := z.CreateRaw(h)
	if err != nil {
		return err
	}
	_, err = io.CopyN(w, in.Body, in.Size)
	return err
}

func deflateContent(z *zip.Writer, h *zip.FileHeader, e layers.Entry) (err error) {
	in, err := e.Content.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, in)
	if err == nil && n != e.Size {
		err = fmt.Errorf("content has %d bytes, not %d", n, e.Size)
	}
	return err
}
