package layers_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/bundle"
	"github.com/faas-lambda/faas-lambda/layers/cache"
	"github.com/faas-lambda/faas-lambda/layers/flatten"
	"github.com/faas-lambda/faas-lambda/layers/image"
	"github.com/faas-lambda/faas-lambda/layers/relocate"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// child names the image that a second process of the test is to pack, and its
// cache: REFERENCE SPACE DIRECTORY, which may be empty.
const child = "FAAS_LAMBDA_TEST_IMAGE"

// elfProgram is the smallest static program for amd64: an ELF header and nothing.
var elfProgram = "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\x3e\x00" + strings.Repeat("\x00", 34) + "\x38\x00" + strings.Repeat("\x00", 8)

// tarOf makes a tar with one layer's share of a synthetic root.
func tarOf(t testing.TB, layer, files, size int) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	rnd := rand.New(rand.NewPCG(uint64(layer), 1))
	add := func(h tar.Header, content []byte) {
		h.Size = int64(len(content))
		err := w.WriteHeader(&h)
		_, err2 := w.Write(content)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
	}
	if layer == 0 {
		add(tar.Header{Name: "bin/fn", Mode: 0o755}, []byte(elfProgram))
		add(tar.Header{Name: "usr/bin/fwatchdog", Mode: 0o755}, []byte(elfProgram))
		add(tar.Header{Name: "lnk", Linkname: "/bin/fn", Typeflag: tar.TypeSymlink}, nil)
		for i := range 10 { // relocation changes their first lines
			add(tar.Header{Name: fmt.Sprintf("bin/script%d", i), Mode: 0o755}, fmt.Appendf(nil, "#!/bin/fn\n%s", strings.Repeat("# text\n", 500*i)))
		}
	} else {
		add(tar.Header{Name: fmt.Sprintf("data/%d/.wh.f1", layer-1)}, nil)
		add(tar.Header{Name: fmt.Sprintf("hard%d", layer), Linkname: "bin/fn", Typeflag: tar.TypeLink}, nil)
	}
	words := make([][]byte, 4096)
	for i := range words {
		words[i] = []byte(fmt.Sprintf("%x ", rnd.Uint64()>>(rnd.IntN(56))))
	}
	content := make([]byte, 0, 2*size+32)
	for i := range files {
		content = content[:0]
		for n := rnd.IntN(2*size + 1); len(content) < n; {
			content = append(content, words[rnd.IntN(len(words))]...)
		}
		add(tar.Header{Name: fmt.Sprintf("data/%d/f%d", layer, i), Mode: 0o640}, content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// serveImage puts an image of gzip, zstd and plain layers into a registry on
// loopback and returns its reference.
func serveImage(t testing.TB, nlayers, files, size int) string {
	t.Helper()
	var parts []v1.Layer
	for i := range nlayers {
		data := tarOf(t, i, files, size)
		switch i % 3 {
		case 1:
			w, err := zstd.NewWriter(nil)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, zstdLayer{static.NewLayer(w.EncodeAll(data, nil), types.OCILayerZStd), data})
		case 2:
			parts = append(parts, static.NewLayer(data, types.OCIUncompressedLayer))
		default:
			l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, l)
		}
	}
	return push(t, serve(t, nil), imageOf(t, parts...))
}

// imageOf makes a function's image of layers.
func imageOf(t testing.TB, parts ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, parts...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", "amd64"
	c.Config = v1.Config{Cmd: []string{"fwatchdog"}, WorkingDir: "/home/app", Env: []string{"fprocess=/bin/fn", "mode=streaming"}}
	if img, err = mutate.ConfigFile(img, c); err != nil {
		t.Fatal(err)
	}
	return img
}

// serve starts a registry, before which wrap may stand. The result is its
// host:port.
func serve(t testing.TB, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	h := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if wrap != nil {
		h = wrap(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// push pushes an image and returns its reference.
func push(t testing.TB, host string, img v1.Image) string {
	t.Helper()
	ref, err := name.ParseReference(host + "/fn:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

// zstdLayer is a compressed layer whose diff id is that of its tar.
type zstdLayer struct {
	v1.Layer
	tar []byte
}

func (l zstdLayer) DiffID() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(l.tar))
	return h, err
}

// packed is a package, and what was found out about its image.
type packed struct {
	bundle.Summary
	leftOut []layers.LeftOut
	xattrs  int
	scripts []string // whose first lines were changed
}

// build makes the package of an image, as a deployment does. With a directory
// it uses the cache in it.
func build(ctx context.Context, ref, dir, temp string, limits flatten.Limits, w io.Writer) (p packed, err error) {
	img, err := image.Open(ctx, ref, image.Options{TempDir: temp})
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, img.Close()) }()
	var (
		kept  *cache.Cache
		facts layers.Facts
	)
	if dir != "" {
		if kept, err = cache.Open(dir, 0); err != nil {
			return p, err
		}
		facts = kept.Facts()
		defer func() { err = errors.Join(err, kept.Facts().Flush()) }()
	}
	flat, err := flatten.Flatten(ctx, img.Layers(), flatten.Options{Cache: kept, TempDir: temp, Limits: limits})
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, flat.Close()) }()
	moved, err := relocate.Relocate(flat.Tree, img.Config, relocate.Options{Prefix: "/var/task", Facts: facts})
	if err != nil {
		return p, err
	}
	p.leftOut, p.xattrs, p.scripts = slices.Concat(flat.LeftOut, moved.LeftOut), flat.Xattrs, moved.Report.Scripts
	p.Summary, err = bundle.Write(ctx, w, bundle.Package{
		Image: img.Digest, Root: "/var/task", Tree: moved.Tree, Start: moved.Start, Bootstrap: []byte("bootstrap"), Cache: kept, TempDir: temp,
	})
	return p, err
}

// pack is build for what must become a package.
func pack(t testing.TB, ref, dir string, w io.Writer) bundle.Summary {
	t.Helper()
	p, err := build(t.Context(), ref, dir, t.TempDir(), flatten.Limits{}, w)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.scripts) == 0 {
		t.Error("relocation changed nothing")
	}
	return p.Summary
}

// packElsewhere makes the package in another process and returns its digest.
func packElsewhere(t testing.TB, ref, dir string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestTheSameImageMakesTheSameBytes$")
	cmd.Env = append(os.Environ(), child+"="+ref+" "+dir, "GOMAXPROCS=1", "TZ=Pacific/Auckland")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sum, _, _ := strings.Cut(strings.TrimPrefix(string(out), "sum="), "\n")
	return sum
}

// TestTheSameImageMakesTheSameBytes packs an image again and again in this
// process and in others, with no cache, an empty one, one that knows all, and one
// that knows what the image has in common with another.
func TestTheSameImageMakesTheSameBytes(t *testing.T) {
	if ref, dir, ok := strings.Cut(os.Getenv(child), " "); ok {
		fmt.Printf("sum=%s\n", pack(t, ref, dir, io.Discard).SHA256)
		return
	}
	ref, lower := serveImage(t, 6, 40, 8_000), serveImage(t, 4, 40, 8_000)
	var want bytes.Buffer
	first := pack(t, ref, "", &want)
	if first.Files < 6*35 || first.Symlinks != 1 || first.Zipped >= first.Unzipped {
		t.Errorf("odd summary %+v", first)
	}
	mine, theirs, shared := t.TempDir(), t.TempDir(), t.TempDir()
	pack(t, lower, shared, io.Discard)
	for _, c := range []struct{ name, dir string }{
		{"no cache", ""}, {"cold cache", mine}, {"warm cache", mine}, {"lower layers cached", shared}, {"all cached", shared},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got bytes.Buffer
			if again := pack(t, ref, c.dir, &got); again != first || !bytes.Equal(want.Bytes(), got.Bytes()) {
				t.Errorf("%+v, then %+v", first, again)
			}
		})
	}
	for _, c := range []struct{ name, dir string }{
		{"no cache", ""}, {"cold cache", theirs}, {"warm cache", theirs}, {"cache of this process", mine},
	} {
		t.Run("another process, "+c.name, func(t *testing.T) {
			if got := packElsewhere(t, ref, c.dir); got != first.SHA256 {
				t.Errorf("%s, want %s", got, first.SHA256)
			}
		})
	}
	t.Run("cache of another process", func(t *testing.T) {
		if got := pack(t, ref, theirs, io.Discard); got != first {
			t.Errorf("%+v, want %+v", got, first)
		}
	})
}

// BenchmarkPackage packs an image of about 200 MB from a registry in the same
// process; allocations and time are of both.
func BenchmarkPackage(b *testing.B) {
	ref := serveImage(b, 5, 1000, 40_000)
	for b.Loop() {
		sum := pack(b, ref, "", io.Discard)
		b.SetBytes(sum.Unzipped)
		b.ReportMetric(float64(sum.Zipped)/float64(sum.Unzipped), "zipped/unzipped")
	}
}
