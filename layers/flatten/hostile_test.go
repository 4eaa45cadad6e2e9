package flatten

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/layers"
)

var errBroken = errors.New("connection lost")

// broken ends with errBroken.
func broken(data []byte) layers.Layer {
	return layers.Layer{Digest: "sha256:broken", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(data), failing{})), nil
	}}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

func deep(n int) string { return strings.Repeat("d/", n) + "f" }

func bytesOf(l layers.Layer, t *testing.T) []byte {
	t.Helper()
	r, err := l.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func raw(data []byte) layers.Layer {
	return layers.Layer{Digest: "sha256:raw", Size: int64(len(data)), Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

// sparse is a GNU sparse file that says it has size bytes and stores none.
func sparse(t *testing.T, size uint64) []byte {
	t.Helper()
	h := pack(t, tar.Header{Name: "s", Typeflag: tar.TypeReg, Format: tar.FormatGNU, Mode: 0o644})
	b := h[:512]
	b[156] = 'S'
	copy(b[386:], fmt.Sprintf("%011o\x00%011o\x00", 0, 0)) // one extent, empty
	b[483] = 0x80                                          // the real size, in base 256
	binary.BigEndian.PutUint64(b[487:], size)
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], []byte{byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0, ' '})
	return h
}

func TestHostileLayers(t *testing.T) {
	good := pack(t, file("a", strings.Repeat("content", 1000)))
	zipped := bytesOf(layer(t, "gzip", good), t)
	zstded := bytesOf(layer(t, "zstd", good), t)
	wrongDiffID := plain(t, file("a", "1"))
	wrongDiffID.DiffID = digest([]byte("other"))
	oddDiffID := plain(t, file("a", "1"))
	oddDiffID.DiffID = "md5:00"
	flipped := bytes.Clone(zipped)
	flipped[len(flipped)-6] ^= 1
	nul := pack(t, tar.Header{Name: "pax", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"AAAA.B": "x?y"}})
	nul = bytes.Replace(bytes.Replace(nul, []byte("AAAA.B=x?y"), []byte("path=\x00xx?y"), 1), []byte("x?y"), []byte("x\x00y"), 1)

	for name, c := range map[string]struct {
		layers []layers.Layer
		opts   Options
		want   error
		says   string
	}{
		"leads out":                               {[]layers.Layer{plain(t, file("../etc/passwd", ""))}, Options{}, ErrUnsafePath, `"../etc/passwd"`},
		"leads out from within":                   {[]layers.Layer{plain(t, file("a/../../x", ""))}, Options{}, ErrUnsafePath, "leads out"},
		"absolute and out":                        {[]layers.Layer{plain(t, file("/../x", ""))}, Options{}, ErrUnsafePath, "leads out"},
		"directory leads out":                     {[]layers.Layer{plain(t, dir("../d"))}, Options{}, ErrUnsafePath, ""},
		"symbolic link leads out":                 {[]layers.Layer{plain(t, symlink("../l", "a"))}, Options{}, ErrUnsafePath, ""},
		"whiteout leads out":                      {[]layers.Layer{plain(t, file("../.wh.a", ""))}, Options{}, ErrUnsafePath, ""},
		"whiteout of the parent":                  {[]layers.Layer{plain(t, file("d/.wh...", ""))}, Options{}, ErrUnsafePath, "whiteout"},
		"whiteout of the directory":               {[]layers.Layer{plain(t, file("d/.wh..", ""))}, Options{}, ErrUnsafePath, "whiteout"},
		"whiteout of nothing":                     {[]layers.Layer{plain(t, file("d/.wh.", ""))}, Options{}, ErrUnsafePath, "whiteout"},
		"root is a file":                          {[]layers.Layer{plain(t, symlink(".", "/etc"))}, Options{}, ErrUnsafePath, "root"},
		"NUL in a name":                           {[]layers.Layer{raw(nul)}, Options{}, ErrCorrupt, ""},
		"through a link that leads out":           {[]layers.Layer{plain(t, symlink("l", "../.."), file("l/x", ""))}, Options{}, ErrUnsafePath, `entry "l/x"`},
		"through a deep link that leads out":      {[]layers.Layer{plain(t, symlink("a/l", "../../etc"), file("a/l/x", ""))}, Options{}, ErrUnsafePath, "symbolic link"},
		"link loop":                               {[]layers.Layer{plain(t, symlink("a", "b"), symlink("b", "a"), file("a/x", ""))}, Options{}, ErrUnsafePath, "levels of symbolic links"},
		"link to itself and more":                 {[]layers.Layer{plain(t, symlink("a", "a/"+strings.Repeat("b/", 1000)), file("a/x", ""))}, Options{}, ErrUnsafePath, ""},
		"under a file":                            {[]layers.Layer{plain(t, file("a", ""), file("a/x", ""))}, Options{}, ErrUnsafePath, "under the file"},
		"under a device":                          {[]layers.Layer{plain(t, device("a", tar.TypeChar), file("a/x", ""))}, Options{}, ErrUnsafePath, "under the file"},
		"symbolic link to nothing":                {[]layers.Layer{plain(t, symlink("a", ""))}, Options{}, ErrLink, `entry "a"`},
		"hard link leads out":                     {[]layers.Layer{plain(t, hard("a", "../../etc/passwd"))}, Options{}, ErrUnsafePath, "etc/passwd"},
		"hard link through a link that leads out": {[]layers.Layer{plain(t, symlink("l", "../.."), hard("a", "l/x"))}, Options{}, ErrUnsafePath, "symbolic link"},
		"hard link to nothing":                    {[]layers.Layer{plain(t, hard("a", "b"))}, Options{}, ErrLink, "layer 1 of 1"},
		"hard link to itself":                     {[]layers.Layer{plain(t, hard("a", "a"))}, Options{}, ErrLink, ""},
		"hard link to a directory":                {[]layers.Layer{plain(t, dir("d"), hard("a", "d"))}, Options{}, ErrLink, "directory"},
		"hard link to a lower directory":          {[]layers.Layer{plain(t, dir("d")), plain(t, hard("a", "d"))}, Options{}, ErrLink, "layer 2 of 2"},
		"hard link to an upper layer":             {[]layers.Layer{plain(t, hard("a", "b")), plain(t, file("b", ""))}, Options{}, ErrLink, "layer 1 of 2"},
		"long name":                               {[]layers.Layer{plain(t, file(strings.Repeat("n", 256), ""))}, Options{}, ErrLimit, "256"},
		"long path":                               {[]layers.Layer{plain(t, file(strings.Repeat("n/", 2100)+"f", ""))}, Options{}, ErrLimit, "420"},
		"long link":                               {[]layers.Layer{plain(t, symlink("a", strings.Repeat("n/", 2100)))}, Options{}, ErrLimit, "420"},
		"deep":                                    {[]layers.Layer{plain(t, file(deep(1500), ""))}, Options{}, ErrUnsafePath, "deep"},
		"too many entries":                        {[]layers.Layer{plain(t, file("a", ""), file("b", "")), plain(t, file("c", ""))}, Options{Limits: Limits{Entries: 2}}, ErrLimit, "2 entries"},
		"too many bytes":                          {[]layers.Layer{raw(zipped)}, Options{Limits: Limits{Bytes: 5000}}, ErrLimit, "5000 bytes"},
		"many sparse files":                       {[]layers.Layer{raw(append(sparse(t, 1<<20)[:512], sparse(t, 1<<20)...))}, Options{Limits: Limits{Bytes: 3 << 19}}, ErrLimit, "declared"},
		"absurd size declared":                    {[]layers.Layer{raw(pack(t, file("a", ""), file("b", "")))}, Options{Limits: Limits{Bytes: 2000}}, ErrLimit, ""},
		"sparse terabyte":                         {[]layers.Layer{raw(sparse(t, 1<<40))}, Options{}, ErrLimit, "1099511627776"},
		"truncated in a header":                   {[]layers.Layer{raw(good[:300])}, Options{}, ErrCorrupt, ""},
		"truncated in content":                    {[]layers.Layer{raw(good[:4000])}, Options{}, ErrCorrupt, `entry "a"`},
		"truncated gzip":                          {[]layers.Layer{raw(zipped[:len(zipped)-20])}, Options{}, ErrCorrupt, ""},
		"damaged gzip":                            {[]layers.Layer{raw(flipped)}, Options{}, ErrCorrupt, "checksum"},
		"truncated zstd":                          {[]layers.Layer{raw(zstded[:len(zstded)-8])}, Options{}, ErrCorrupt, ""},
		"bytes behind gzip":                       {[]layers.Layer{raw(append(bytes.Clone(zipped), "rubbish, and more of it"...))}, Options{}, ErrCorrupt, ""},
		"no tar":                                  {[]layers.Layer{raw(bytes.Repeat([]byte("no tar "), 200))}, Options{}, ErrCorrupt, "layer 1 of 1, sha256:raw"},
		"xz":                                      {[]layers.Layer{raw(append([]byte("\xfd7zXZ\x00"), make([]byte, 600)...))}, Options{}, ErrCorrupt, ""},
		"other diff id":                           {[]layers.Layer{wrongDiffID}, Options{}, ErrDigest, wrongDiffID.DiffID},
		"unknown digest":                          {[]layers.Layer{oddDiffID}, Options{}, ErrDigest, "md5"},
		"transfer breaks":                         {[]layers.Layer{broken(zipped[:len(zipped)/2])}, Options{}, errBroken, "sha256:broken"},
		"transfer breaks at once":                 {[]layers.Layer{broken(nil)}, Options{}, errBroken, ""},
		"transfer breaks behind the tar":          {[]layers.Layer{broken(good)}, Options{}, errBroken, ""},
		"one layer of many breaks":                {[]layers.Layer{raw(good), raw(zipped), broken(good[:2000]), raw(zstded)}, Options{Workers: 2}, errBroken, "layer 3 of 4"},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.TempDir = t.TempDir()
			r, err := Flatten(t.Context(), c.layers, c.opts)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v saying %q", err, c.want, c.says)
			}
			if err == nil {
				t.Error(describe(t, r.Tree), r.Close())
			}
			if left, err := os.ReadDir(c.opts.TempDir); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestHarmlessOddities(t *testing.T) {
	good := pack(t, file("a", "1"))
	for name, l := range map[string]layers.Layer{
		"nothing at all":         raw(nil),
		"no end of archive":      raw(good[:1024]),
		"zeros behind the end":   raw(append(bytes.Clone(good), make([]byte, 1<<16)...)),
		"two gzip members":       raw(append(bytesOf(layer(t, "gzip", good[:700]), t), bytesOf(layer(t, "gzip", good[700:]), t)...)),
		"comment of git archive": plain(t, tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}),
	} {
		t.Run(name, func(t *testing.T) { flatten(t, Options{}, l) })
	}
}

func TestCancelledFlattenEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reached := make(chan struct{})
	l := layers.Layer{Digest: "sha256:slow", Open: func(ctx context.Context) (io.ReadCloser, error) {
		return io.NopCloser(readerFunc(func([]byte) (int, error) {
			close(reached)
			<-ctx.Done()
			return 0, ctx.Err()
		})), nil
	}}
	go func() { <-reached; cancel() }()
	if _, err := Flatten(ctx, []layers.Layer{l}, Options{TempDir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// FuzzTar reads anything as two layers: whatever comes, no panic, and the tree
// is one that NewTree takes.
func FuzzTar(f *testing.F) {
	f.Add(pack(f, dir("d"), file("d/a", "1"), symlink("l", "d"), file("l/b", "2"), hard("c", "d/a")), pack(f, file("d/.wh.a", ""), hard("e", "d/a"), file(".wh..wh..opq", "")))
	f.Add(pack(f, symlink("a", "b"), symlink("b", "a"), file("a/x", "")), pack(f, device("a", tar.TypeChar)))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		budget := newBudget(Limits{Entries: 1000, Bytes: 1 << 20})
		lower := newDir()
		for _, data := range [][]byte{a, b} {
			x := &index{root: newDir(), budget: budget}
			err := x.read(t.Context(), bytes.NewReader(data), func(_ context.Context, r io.Reader, size int64) (layers.Content, error) {
				if _, err := io.CopyN(io.Discard, r, size); err != nil {
					return nil, io.ErrUnexpectedEOF
				}
				return empty{}, nil
			})
			if err != nil || x.resolveLinks(lower) != nil {
				return
			}
			apply(lower, x.root)
		}
		if _, err := layers.NewTree(lower.entries(nil, "")); err != nil {
			t.Fatal(err)
		}
	})
}
