package flatten

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// h is an entry of a tar: the name's end and the fields say of which type.
func file(name, content string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content)), Uname: content}
}
func dir(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o750} }
func symlink(name, to string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to, Mode: 0o777}
}
func hard(name, to string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: to}
}
func device(name string, kind byte) tar.Header { return tar.Header{Name: name, Typeflag: kind} }

// pack makes a tar; a file's content travels in Uname.
func pack(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range headers {
		content := h.Uname
		h.Uname = ""
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// layer makes a layer of a tar, compressed as how says.
func layer(t testing.TB, how string, data []byte) layers.Layer {
	t.Helper()
	blob := data
	switch how {
	case "gzip":
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		_, err := w.Write(data)
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		blob = buf.Bytes()
	case "zstd":
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		blob = w.EncodeAll(data, nil)
	}
	return layers.Layer{
		Digest: digest(blob), DiffID: digest(data), Size: int64(len(blob)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(blob)), nil },
	}
}

func plain(t testing.TB, headers ...tar.Header) layers.Layer {
	return layer(t, "plain", pack(t, headers...))
}

// describe says what a tree is: "dir/", "file=content", "link->target".
func describe(t testing.TB, tree *layers.Tree) (out []string) {
	t.Helper()
	for e := range tree.All() {
		switch e.Type {
		case layers.Dir:
			out = append(out, e.Path+"/")
		case layers.Symlink:
			out = append(out, e.Path+"->"+e.Link)
		case layers.File:
			out = append(out, e.Path+"="+textOf(t, e))
		}
	}
	return out
}

func textOf(t testing.TB, e layers.Entry) string {
	t.Helper()
	r, err := e.Content.Open()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatalf("%s: %v", e.Path, err)
	}
	if int64(len(data)) != e.Size {
		t.Errorf("%s: %d bytes, size says %d", e.Path, len(data), e.Size)
	}
	return string(data)
}

func flatten(t testing.TB, opts Options, list ...layers.Layer) *Result {
	t.Helper()
	opts.TempDir = t.TempDir()
	r, err := Flatten(t.Context(), list, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		left, err := os.ReadDir(opts.TempDir)
		if err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	return r
}

func TestLayersMakeOneTree(t *testing.T) {
	for name, c := range map[string]struct {
		layers [][]tar.Header
		want   []string
	}{
		"names are relative to the root": {
			[][]tar.Header{{dir("./"), file("/a", "1"), file("./b", "2"), dir("d/"), file("d/../d/./c", "3")}},
			[]string{"a=1", "b=2", "d/", "d/c=3"},
		},
		"a directory without an entry of its own": {
			[][]tar.Header{{file("a/b/c", "1")}},
			[]string{"a/", "a/b/", "a/b/c=1"},
		},
		"upper replaces, directories merge": {
			[][]tar.Header{{dir("d"), file("d/a", "old"), file("d/b", "b")}, {dir("d"), file("d/a", "new"), file("d/c", "c")}},
			[]string{"d/", "d/a=new", "d/b=b", "d/c=c"},
		},
		"whiteout of a file": {
			[][]tar.Header{{file("a", "1"), file("b", "2")}, {file(".wh.a", "")}},
			[]string{"b=2"},
		},
		"whiteout of a directory": {
			[][]tar.Header{{file("d/a", "1"), file("d/e/b", "2"), file("x", "")}, {file(".wh.d", "")}},
			[]string{"x="},
		},
		"whiteout of nothing": {
			[][]tar.Header{{file("a", "1")}, {file(".wh.b", "")}},
			[]string{"a=1"},
		},
		"whiteout spares its own layer, wherever it comes": {
			[][]tar.Header{{file("a", "1"), file("d/x", "1")}, {file("a", "2"), file(".wh.a", ""), file(".wh.d", ""), file("d/y", "2")}},
			[]string{"a=2", "d/", "d/y=2"},
		},
		"whiteout in the middle, then back": {
			[][]tar.Header{{file("d/a", "1")}, {file(".wh.d", "")}, {file("d/b", "3")}},
			[]string{"d/", "d/b=3"},
		},
		"opaque directory": {
			[][]tar.Header{{file("d/a", "1"), file("d/e/f", "1"), file("x", "x")}, {dir("d"), file("d/b", "2"), file("d/.wh..wh..opq", "")}},
			[]string{"d/", "d/b=2", "x=x"},
		},
		"opaque root": {
			[][]tar.Header{{file("a", "1")}, {file(".wh..wh..opq", ""), file("b", "2")}},
			[]string{"b=2"},
		},
		"file replaces directory": {
			[][]tar.Header{{file("d/a", "1")}, {file("d", "2")}},
			[]string{"d=2"},
		},
		"directory replaces file": {
			[][]tar.Header{{file("d", "1")}, {file("d/a", "2")}},
			[]string{"d/", "d/a=2"},
		},
		"symbolic link replaces directory, and its contents": {
			[][]tar.Header{{file("d/a", "1"), file("e/b", "2")}, {symlink("d", "e")}},
			[]string{"d->e", "e/", "e/b=2"},
		},
		"directory replaces the symbolic link of a lower layer": {
			[][]tar.Header{{file("usr/lib/a", "1"), symlink("lib", "usr/lib")}, {dir("lib"), file("lib/b", "2")}},
			[]string{"lib/", "lib/b=2", "usr/", "usr/lib/", "usr/lib/a=1"},
		},
		"symbolic link of the same layer is followed": {
			[][]tar.Header{{symlink("lib", "usr/lib"), symlink("abs", "/usr"), file("lib/a", "1"), file("abs/b", "2"), file("usr/../lib/c", "3")}},
			[]string{"abs->/usr", "lib->usr/lib", "usr/", "usr/b=2", "usr/lib/", "usr/lib/a=1", "usr/lib/c=3"},
		},
		"of duplicates the last counts": {
			[][]tar.Header{{file("a", "1"), file("a", "2"), file("d/x", "1"), symlink("d", "a"), dir("e"), file("e/f", "1"), dir("e")}},
			[]string{"a=2", "d->a", "e/", "e/f=1"},
		},
		"hard links of one layer share content": {
			[][]tar.Header{{file("a", "1"), hard("b", "a"), hard("c", "./b"), file("a", "2")}},
			[]string{"a=2", "b=1", "c=1"},
		},
		"hard link to a lower layer": {
			[][]tar.Header{{file("d/a", "1"), symlink("l", "d")}, {hard("b", "d/a"), hard("c", "b"), hard("e", "l/a")}},
			[]string{"b=1", "c=1", "d/", "d/a=1", "e=1", "l->d"},
		},
		"hard link keeps what is removed or replaced": {
			[][]tar.Header{{file("a", "1"), file("b", "2")}, {hard("c", "a"), file(".wh.a", "")}, {hard("d", "b")}, {file("b", "3")}},
			[]string{"b=3", "c=1", "d=2"},
		},
		"hard link to a symbolic link": {
			[][]tar.Header{{symlink("a", "x"), hard("b", "a")}},
			[]string{"a->x", "b->x"},
		},
		"device hides what was below": {
			[][]tar.Header{{file("a", "1"), file("b", "1")}, {device("a", tar.TypeChar)}},
			[]string{"b=1"},
		},
		"long, odd and foreign names": {
			[][]tar.Header{{file(strings.Repeat("n", 200)+"/"+strings.Repeat("m", 255), "1"), file("sp ace\nü\xff", "2")}},
			[]string{strings.Repeat("n", 200) + "/", strings.Repeat("n", 200) + "/" + strings.Repeat("m", 255) + "=1", "sp ace\nü\xff=2"},
		},
		"no layers": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var list []layers.Layer
			for _, l := range c.layers {
				list = append(list, plain(t, l...))
			}
			got := describe(t, flatten(t, Options{}, list...).Tree)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestModesOfDirectories(t *testing.T) {
	r := flatten(t, Options{}, plain(t, dir("d"), file("d/e/x", "")), plain(t, file("d/y", ""), tar.Header{Name: "s", Typeflag: tar.TypeReg, Mode: 0o4755}))
	for p, want := range map[string]os.FileMode{"d": 0o750, "d/e": 0o755, "d/y": 0o644, "s": 0o755 | os.ModeSetuid} {
		if e, _ := r.Tree.Get(p); e.Mode != want {
			t.Errorf("%s has %v, want %v", p, e.Mode, want)
		}
	}
}

func TestWhatIsLeftOutIsReported(t *testing.T) {
	x := file("x", "1")
	x.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "cap"}
	r := flatten(t, Options{}, plain(t, x,
		device("dev/null", tar.TypeChar), device("b", tar.TypeBlock), device("p", tar.TypeFifo),
		device("z", 'Z'), hard("again", "p"), file("d/.wh..wh.plnk", ""),
		tar.Header{Name: "tty", Typeflag: tar.TypeChar, Devmajor: 5}))
	var got []string
	for _, l := range r.LeftOut {
		if !strings.HasPrefix(l.Layer, "sha256:") {
			t.Errorf("%s: layer %q", l.Path, l.Layer)
		}
		got = append(got, l.Path+": "+l.Reason)
	}
	want := []string{
		"dev/null: character device 0/0, an overlay file system's whiteout", "b: block device", "p: named pipe",
		"z: entry of the unknown type 'Z'", "again: hard link to what is left out", "d/.wh..wh.plnk: bookkeeping of aufs", "tty: character device",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"d/", "dev/", "x=1"}, describe(t, r.Tree)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if r.Xattrs != 1 {
		t.Errorf("%d entries with extended attributes, want 1", r.Xattrs)
	}
}

func TestCompressionIsFoundByTheFirstBytes(t *testing.T) {
	data := pack(t, file("a", "1"), file("big", strings.Repeat("0123456789", 1<<18)))
	for _, how := range []string{"plain", "gzip", "zstd"} {
		l := layer(t, how, data)
		l.MediaType = "application/vnd.oci.image.layer.v1.tar+misleading"
		var last layers.Step
		r := flatten(t, Options{Workers: 1, Progress: func(s layers.Step) { last = s }}, l)
		if got := describe(t, r.Tree); len(got) != 2 || got[0] != "a=1" {
			t.Errorf("%s: %.80q", how, got)
		}
		if want := (layers.Step{Stage: layers.StageRead, Parts: 1, Name: l.Digest, Done: l.Size, Total: l.Size}); last != want {
			t.Errorf("%s: progress ended at %+v, want %+v", how, last, want)
		}
	}
}

// TestLargeFilesSurviveThePress checks that blocks compressed apart are one
// deflate stream, and the same one however many goroutines made it.
func TestLargeFilesSurviveThePress(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var headers []tar.Header
	want := map[string]string{}
	const blockSize = 1 << 20 // of the press
	for i, size := range []int{0, 1, blockSize - 1, blockSize, blockSize + 1, 2*blockSize + 7} {
		b := make([]byte, size)
		for j := range b {
			b[j] = byte('a' + rnd.IntN(4+i*40))
		}
		name := fmt.Sprint("f", i)
		want[name] = string(b)
		headers = append(headers, file(name, string(b)))
	}
	for range 100 {
		headers = append(headers, file(fmt.Sprint("small", len(headers)), strings.Repeat("x", rnd.IntN(5000))))
	}
	list := []layers.Layer{layer(t, "gzip", pack(t, headers...)), plain(t, headers[:4]...), plain(t, headers[3:9]...)}
	var first map[string]string
	for _, workers := range []int{1, 16} {
		r := flatten(t, Options{Workers: workers}, list...)
		deflated := map[string]string{}
		for e := range r.Tree.All() {
			if w, ok := want[e.Path]; ok && textOf(t, e) != w {
				t.Errorf("%d workers: %s differs", workers, e.Path)
			}
			if c, ok := e.Content.(layers.DeflatedContent); ok {
				d, err := c.OpenDeflated()
				if err != nil {
					t.Fatal(err)
				}
				raw, err := io.ReadAll(d.Body)
				if err := errors.Join(err, d.Body.Close()); err != nil || int64(len(raw)) != d.Size {
					t.Fatalf("%s: %d of %d bytes, %v", e.Path, len(raw), d.Size, err)
				}
				deflated[e.Path] = fmt.Sprint(d.CRC32, digest(raw))
			}
		}
		if first == nil {
			first = deflated
		}
		if diff := cmp.Diff(first, deflated); diff != "" {
			t.Errorf("%d workers make other bytes\n%s", workers, diff)
		}
	}
}
