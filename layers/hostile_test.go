package layers_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/faas-lambda/faas-lambda/layers/flatten"
	"github.com/faas-lambda/faas-lambda/layers/image"
)

// few are limits that a test reaches quickly.
var few = flatten.Limits{Entries: 500, Bytes: 8 << 20}

// member is an entry of a layer's tar.
type member struct {
	tar.Header
	content string
}

func file(name, content string) member { return member{tar.Header{Name: name, Mode: 0o644}, content} }

func special(name string, kind byte, to string) member {
	return member{tar.Header{Name: name, Typeflag: kind, Linkname: to, Mode: 0o644}, ""}
}

// layerOf makes a gzip layer.
func layerOf(t testing.TB, members ...member) v1.Layer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, m := range members {
		m.Size = int64(len(m.content))
		err := w.WriteHeader(&m.Header)
		_, err2 := io.WriteString(w, m.content)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return gzipped(t, buf.Bytes())
}

func gzipped(t testing.TB, data []byte) v1.Layer {
	t.Helper()
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// function is the layer that every image here begins with.
func function(t testing.TB) v1.Layer {
	return layerOf(t, member{tar.Header{Name: "bin/fn", Mode: 0o755}, elfProgram}, member{tar.Header{Name: "usr/bin/fwatchdog", Mode: 0o755}, elfProgram})
}

func many(n int) []member {
	list := make([]member, n)
	for i := range list {
		list[i] = file(fmt.Sprintf("f%d", i), "")
	}
	return list
}

// TestHostileLayersMakeNoPackage pushes layers that nobody should unpack, and
// follows them on their way to a zip: each must end in an error that says what
// was found where, with nothing written and nothing left behind.
func TestHostileLayersMakeNoPackage(t *testing.T) {
	for name, c := range map[string]struct {
		members []member
		want    error
		says    string
	}{
		"path that leads out":             {[]member{file("../../etc/cron.d/x", "x")}, flatten.ErrUnsafePath, `"../../etc/cron.d/x"`},
		"absolute path that leads out":    {[]member{file("/../x", "x")}, flatten.ErrUnsafePath, `"/../x"`},
		"path through a link out":         {[]member{special("l", tar.TypeSymlink, "../../etc"), file("l/passwd", "x")}, flatten.ErrUnsafePath, `"l/passwd"`},
		"path through a link loop":        {[]member{special("a", tar.TypeSymlink, "b"), special("b", tar.TypeSymlink, "a"), file("a/x", "")}, flatten.ErrUnsafePath, `"a/x"`},
		"path below a device":             {[]member{special("d", tar.TypeBlock, ""), file("d/x", "")}, flatten.ErrUnsafePath, `"d/x"`},
		"whiteout that leads out":         {[]member{file("../.wh.etc", "")}, flatten.ErrUnsafePath, `.wh.etc`},
		"hard link out":                   {[]member{special("h", tar.TypeLink, "../../etc/shadow")}, flatten.ErrUnsafePath, "etc/shadow"},
		"hard link through a link out":    {[]member{special("l", tar.TypeSymlink, "/../.."), special("h", tar.TypeLink, "l/../../x")}, flatten.ErrUnsafePath, "l/../../x"},
		"hard link to nothing":            {[]member{special("h", tar.TypeLink, "etc/shadow")}, flatten.ErrLink, "etc/shadow"},
		"hard link to a directory":        {[]member{special("d/", tar.TypeDir, ""), special("h", tar.TypeLink, "d")}, flatten.ErrLink, "directory"},
		"long name":                       {[]member{file(strings.Repeat("n", 256), "")}, flatten.ErrLimit, "256"},
		"long path":                       {[]member{file(strings.Repeat("n/", 2100), "")}, flatten.ErrLimit, "name of 42"},
		"long link":                       {[]member{special("l", tar.TypeSymlink, strings.Repeat("n/", 2100))}, flatten.ErrLimit, "name of 42"},
		"deep path":                       {[]member{file(strings.Repeat("d/", 1500)+"f", "")}, flatten.ErrUnsafePath, "deep"},
		"bomb":                            {[]member{file("zeros", strings.Repeat("\x00", 9<<20))}, flatten.ErrLimit, "8388608 bytes"},
		"bomb of many files":              {[]member{file("a", strings.Repeat("\x00", 3<<20)), file("b", strings.Repeat("\x00", 3<<20)), file("c", strings.Repeat("\x00", 3<<20))}, flatten.ErrLimit, "8388608 bytes"},
		"more entries than anybody needs": {many(501), flatten.ErrLimit, "500 entries"},
	} {
		t.Run(name, func(t *testing.T) {
			refuse(t, push(t, serve(t, nil), imageOf(t, function(t), layerOf(t, c.members...))), c.want, c.says)
		})
	}
}

// TestHugePaxHeaderMakesNoPackage has a header that says more of one file than
// archive/tar wants to remember.
func TestHugePaxHeaderMakesNoPackage(t *testing.T) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	records := "2097180 SCHILY.xattr.user.x=" + strings.Repeat("x", 2<<20-22) + "\n"
	err := w.WriteHeader(&tar.Header{Name: "PaxHeaders/f", Mode: 0o644, Size: int64(len(records))})
	_, err2 := io.WriteString(w, records)
	if err := errors.Join(err, err2, w.WriteHeader(&tar.Header{Name: "f", Mode: 0o644}), w.Close()); err != nil {
		t.Fatal(err)
	}
	b := buf.Bytes()
	b[156] = tar.TypeXHeader
	sign(b)
	refuse(t, push(t, serve(t, nil), imageOf(t, function(t), gzipped(t, b))), flatten.ErrCorrupt, "layer 2 of 2")
}

// sign gives a header of a tar its checksum.
func sign(header []byte) {
	copy(header[148:156], "        ")
	sum := 0
	for _, c := range header[:512] {
		sum += int(c)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
}

// refuse makes a package, with and without a cache, and wants an error.
func refuse(t testing.TB, ref string, want error, says string) {
	t.Helper()
	for _, dir := range []string{"", t.TempDir()} {
		var zip bytes.Buffer
		temp := t.TempDir()
		_, err := build(t.Context(), ref, dir, temp, few, &zip)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %v saying %q", err, want, says)
		}
		if zip.Len() > 0 {
			t.Errorf("%d bytes were written", zip.Len())
		}
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

// TestHostileRegistriesMakeNoPackage changes what the registry answers.
func TestHostileRegistriesMakeNoPackage(t *testing.T) {
	good := imageOf(t, function(t), layerOf(t, file("f", strings.Repeat("content ", 1000))))
	parts, err := good.Layers()
	if err != nil {
		t.Fatal(err)
	}
	top, err := parts[1].Digest()
	if err != nil {
		t.Fatal(err)
	}
	lie := func(change func(*v1.ConfigFile)) v1.Image {
		c, err := good.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		c = c.DeepCopy()
		change(c)
		img, err := mutate.ConfigFile(good, c)
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	wasm, err := mutate.AppendLayers(good, static.NewLayer([]byte("x"), "application/wasm"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		img    v1.Image
		match  string // of the path whose answers change does
		change func(body []byte) []byte
		want   error
		says   string
	}{
		"layer cut":         {good, top.String(), func(b []byte) []byte { return b[:len(b)/2] }, image.ErrDigest, "ended after"},
		"layer empty":       {good, top.String(), func([]byte) []byte { return nil }, image.ErrDigest, "ended after 0"},
		"layer prolonged":   {good, top.String(), func(b []byte) []byte { return append(b, 0) }, image.ErrDigest, "larger than"},
		"layer without end": {good, top.String(), func(b []byte) []byte { return append(b, make([]byte, 1<<20)...) }, image.ErrDigest, "larger than"},
		"another layer":     {good, top.String(), func(b []byte) []byte { b[len(b)-20] ^= 1; return b }, image.ErrDigest, top.String()},
		"manifest cut":      {good, "/manifests/", func(b []byte) []byte { return b[:len(b)/2] }, image.ErrInvalid, ""},
		"manifest of an index": {good, "/manifests/", func([]byte) []byte {
			return []byte(`{"schemaVersion":2,"mediaType":"` + string(types.OCIImageIndex) + `","manifests":[]}`)
		}, image.ErrInvalid, "configuration is of the type"},
		"size that is a lie":    {good, "/manifests/", func(b []byte) []byte { return bytes.Replace(b, []byte(`"size":`), []byte(`"size":1`), 1) }, image.ErrDigest, ""},
		"negative size":         {good, "/manifests/", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`"size":`), []byte(`"size":-1`)) }, image.ErrInvalid, "size"},
		"layer of another type": {wasm, "", nil, image.ErrInvalid, "application/wasm"},
		"another diff id":       {lie(func(c *v1.ConfigFile) { c.RootFS.DiffIDs[1].Hex = strings.Repeat("0", 64) }), "", nil, flatten.ErrDigest, strings.Repeat("0", 64)},
		"too few diff ids":      {lie(func(c *v1.ConfigFile) { c.RootFS.DiffIDs = c.RootFS.DiffIDs[:1] }), "", nil, image.ErrInvalid, "2 layers in its manifest, 1 in"},
		"another platform":      {lie(func(c *v1.ConfigFile) { c.Architecture = "arm64" }), "", nil, image.ErrPlatform, "found linux/arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			ref := push(t, serve(t, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if c.match == "" || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, c.match) {
						h.ServeHTTP(w, r)
						return
					}
					answer := httptest.NewRecorder()
					h.ServeHTTP(answer, r)
					w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
					w.WriteHeader(answer.Code)
					_, _ = w.Write(c.change(bytes.Clone(answer.Body.Bytes())))
				})
			}), c.img)
			refuse(t, ref, c.want, c.says)
		})
	}
}

// TestOddLayersMakeAPackage has what is strange and allowed, and looks for what
// became of it in the zip.
func TestOddLayersMakeAPackage(t *testing.T) {
	long := strings.Repeat("n", 255)
	setuid := member{tar.Header{Name: "bin/su", Mode: 0o4755}, elfProgram}
	marked := file("marked", "x")
	marked.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01"}
	secret := member{tar.Header{Name: "secret", Mode: 0}, "s"}
	parts := []v1.Layer{function(t), layerOf(t,
		special("dev/sda", tar.TypeBlock, ""), special("dev/null", tar.TypeChar, ""), special("run/pipe", tar.TypeFifo, ""),
		setuid, marked, secret,
		file("twice", "first"), file("twice", "second"), file("./a//b/../c", "clean"), file("/absolute", "a"),
		file("dir/"+long, "long"), file("-rf", "dash"), file("new\nline", "n"), file("latin-\xff", "l"),
		special("out", tar.TypeSymlink, "../../../etc/passwd"), special("etc/passwd", tar.TypeReg, ""), special("dangling", tar.TypeSymlink, "nowhere"),
		special("hard", tar.TypeLink, "twice"), file("removed", "x"),
	), layerOf(t, file(".wh.removed", ""), file("dir2/.wh..wh..opq", "")), sparseLayer(t)}
	ref := push(t, serve(t, nil), imageOf(t, parts...))
	var buf bytes.Buffer
	p, err := build(t.Context(), ref, "", t.TempDir(), few, &buf)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range z.File {
		if f.Mode()&(os.ModeSetuid|os.ModeSetgid|os.ModeDevice|os.ModeNamedPipe) != 0 {
			t.Errorf("%s has the mode %v", f.Name, f.Mode())
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if _, ok := got[f.Name]; ok {
			t.Errorf("%s is there twice", f.Name)
		}
		got[f.Name] = fmt.Sprintf("%v %s", f.Mode(), data)
	}
	for name, want := range map[string]string{
		"twice": "-rw-r--r-- second", "hard": "-rw-r--r-- second", "a/c": "-rw-r--r-- clean", "absolute": "-rw-r--r-- a", "dir/" + long: "-rw-r--r-- long",
		"-rf": "-rw-r--r-- dash", "new\nline": "-rw-r--r-- n", "latin-\xff": "-rw-r--r-- l", "secret": "-r--r--r-- s", "marked": "-rw-r--r-- x",
		"out": "Lrwxrwxrwx etc/passwd", "dangling": "Lrwxrwxrwx nowhere", "bin/su": "-rwxr-xr-x " + elfProgram,
		"sparse":  "-rw-r--r-- " + strings.Repeat("\x00", 1<<20),
		"removed": "", "dev/sda": "", "dev/null": "", "run/pipe": "",
	} {
		if got[name] != want {
			t.Errorf("%q is %.60q, want %.60q", name, got[name], want)
		}
	}
	reasons := map[string]string{}
	for _, l := range p.leftOut {
		reasons[l.Path] = l.Reason
	}
	for _, path := range []string{"dev/sda", "dev/null", "run/pipe", "bin/su"} {
		if reasons[path] == "" {
			t.Errorf("%s: no word about it in %v", path, reasons)
		}
	}
	if diff := cmp.Diff(1, p.xattrs); diff != "" {
		t.Errorf("extended attributes (-want +got)\n%s", diff)
	}
}

// sparseLayer has a file of 1 MiB of which nothing is stored (GNU tar's old
// sparse format).
func sparseLayer(t testing.TB) v1.Layer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "sparse", Typeflag: tar.TypeReg, Format: tar.FormatGNU, Mode: 0o644}), w.Close()); err != nil {
		t.Fatal(err)
	}
	b := buf.Bytes()
	b[156] = tar.TypeGNUSparse
	copy(b[386:], fmt.Sprintf("%011o\x00%011o\x00", 1<<20, 0)) // one extent, empty, at the end
	copy(b[483:], fmt.Sprintf("%011o\x00", 1<<20))             // the real size
	sign(b)
	return gzipped(t, b)
}
