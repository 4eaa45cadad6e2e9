package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const host = "registry.test"

// entry of a layer; with a link or a name that ends in / it is no file.
type entry struct {
	name string
	text string
	link string // symlink
	hard string // hard link
	kind byte   // when set, the type itself
	mode int64
}

func layerOf(t testing.TB, entries ...entry) v1.Layer {
	t.Helper()
	data := archiveOf(t, entries...)
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

func archiveOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(e.text))}
		switch {
		case e.kind != 0:
			h.Typeflag, h.Linkname = e.kind, e.link
		case e.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		case e.hard != "":
			h.Typeflag, h.Linkname = tar.TypeLink, e.hard
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if e.mode != 0 {
			h.Mode = e.mode
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// own is a source whose registry is in this program.
func own() Source {
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	return Source{Own: func(h string) http.Handler {
		if h == host {
			return handler
		}
		return nil
	}}
}

func push(t testing.TB, s Source, to string, layers ...v1.Layer) {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{Architecture: "amd64", OS: "linux", Config: v1.Config{
		Entrypoint: []string{"/run"}, Cmd: []string{"a"}, Env: []string{"A=b"}, WorkingDir: "/work",
	}, RootFS: rootFS(t, img)})
	if err != nil {
		t.Fatal(err)
	}
	pushImage(t, s, to, img)
}

func rootFS(t testing.TB, img v1.Image) v1.RootFS {
	t.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return file.RootFS
}

func pushImage(t testing.TB, s Source, to string, img v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(to)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, s.options(t.Context(), host)...); err != nil {
		t.Fatal(err)
	}
}

func fetch(t testing.TB, s Source, from string) (string, Config, error) {
	t.Helper()
	resolved, err := s.Resolve(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c, err := s.Unpack(t.Context(), resolved.Name, dir)
	return dir, c, err
}

func read(t testing.TB, dir, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return "(" + filepath.Base(err.Error()) + ")"
	}
	return string(data)
}

func TestUnpack(t *testing.T) {
	s := own()
	push(t, s, host+"/a/b:v1", layerOf(t,
		entry{name: "usr/"}, entry{name: "usr/bin/"}, entry{name: "bin", link: "/usr/bin"}, entry{name: "lib", link: "usr/lib"},
		entry{name: "bin/sh", text: "shell", mode: 0o4755}, entry{name: "gone", text: "x"}, entry{name: "dir/old", text: "x"},
		entry{name: "dir/sub/old", text: "x"}, entry{name: "kind", text: "x"}, entry{name: "locked/", mode: 0o555},
		entry{name: "dev/null", kind: tar.TypeChar}, entry{name: "same", hard: "bin/sh"}, entry{name: "etc", link: "/elsewhere"},
	), layerOf(t,
		entry{name: "lib/libc.so", text: "libc"}, entry{name: ".wh.gone"}, entry{name: "dir/new", text: "new"}, entry{name: "dir/.wh..wh..opq"},
		entry{name: "kind/"}, entry{name: "kind/file", text: "inside"}, entry{name: "locked/in", text: "in"}, entry{name: "./loop", link: "loop"},
	))
	dir, c, err := fetch(t, s, host+"/a/b:v1")
	if err != nil {
		t.Fatal(err)
	}
	if c.Entrypoint[0] != "/run" || c.Cmd[0] != "a" || c.Env[0] != "A=b" || c.WorkingDir != "/work" || c.Architecture != "amd64" {
		t.Errorf("config = %+v", c)
	}
	for file, want := range map[string]string{
		"usr/bin/sh": "shell", "usr/lib/libc.so": "libc", "same": "shell", "dir/new": "new", "kind/file": "inside", "locked/in": "in", "etc/hosts": "",
	} {
		if got := read(t, dir, file); got != want {
			t.Errorf("%s = %q, want %q", file, got, want)
		}
	}
	for _, file := range []string{"gone", "dir/old", "dir/sub", "dev/null", ".wh.gone"} {
		if _, err := os.Lstat(filepath.Join(dir, file)); err == nil {
			t.Errorf("%s is there", file)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "usr/bin/sh"))
	if err != nil || info.Mode() != 0o755 {
		t.Errorf("mode = %v, %v", info, err)
	}
}

func TestHostileContent(t *testing.T) {
	for _, test := range []struct {
		name    string
		entries []entry
	}{
		{"name leads out", []entry{{name: "../out", text: "x"}}},
		{"name leads out in the middle", []entry{{name: "a/../../out", text: "x"}}},
		{"hard link leads out", []entry{{name: "a", hard: "../../out"}}},
		{"hard link to nothing", []entry{{name: "a", hard: "b"}}},
		{"file as directory", []entry{{name: "a", text: "x"}, {name: "a/b", text: "x"}}},
		{"symlinks in a circle", []entry{{name: "a", link: "b"}, {name: "b", link: "a"}, {name: "a/c", text: "x"}}},
		{"whiteout of nothing", []entry{{name: "a/.wh."}}},
		{"whiteout of the parent", []entry{{name: "a/.wh..."}}},
		{"unknown kind", []entry{{name: "a", kind: 'V'}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := own()
			push(t, s, host+"/a:v1", layerOf(t, test.entries...))
			if dir, _, err := fetch(t, s, host+"/a:v1"); !errors.Is(err, ErrContent) {
				t.Errorf("error = %v", err)
			} else if _, err := os.Lstat(filepath.Join(filepath.Dir(dir), "out")); err == nil {
				t.Error("something was written outside")
			}
		})
	}
}

// A symlink that leads out of the image counts from the image's own root, as in the image.
func TestSymlinksStayInside(t *testing.T) {
	s := own()
	push(t, s, host+"/a:v1", layerOf(t, entry{name: "up", link: "../../../tmp/x"}, entry{name: "up/file", text: "x"}, entry{name: "abs", link: "/var"}, entry{name: "abs/f", text: "y"}))
	dir, _, err := fetch(t, s, host+"/a:v1")
	if err != nil {
		t.Fatal(err)
	}
	if read(t, dir, "tmp/x/file") != "x" || read(t, dir, "var/f") != "y" {
		t.Error("not where they belong")
	}
}

func TestResolve(t *testing.T) {
	s := own()
	push(t, s, host+"/a:v1", layerOf(t, entry{name: "a", text: "1"}))
	first, err := s.Resolve(t.Context(), host+"/a:v1")
	if err != nil || !strings.HasPrefix(first.Name, host+"/a@sha256:") || !strings.HasSuffix(first.Name, first.Digest) {
		t.Fatalf("resolved = %+v, %v", first, err)
	}
	push(t, s, host+"/a:v1", layerOf(t, entry{name: "a", text: "2"}))
	second, err := s.Resolve(t.Context(), host+"/a:v1")
	if err != nil || second == first {
		t.Errorf("resolved = %+v, %v", second, err)
	}
	dir := t.TempDir()
	if _, err := s.Unpack(t.Context(), first.Name, dir); err != nil || read(t, dir, "a") != "1" {
		t.Errorf("by digest: %q, %v", read(t, dir, "a"), err)
	}
	ref, err := name.ParseReference(host + "/index:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, empty.Index, s.options(t.Context(), host)...); err != nil {
		t.Fatal(err)
	}
	odd, err := mutate.Append(empty.Image, mutate.Addendum{Layer: layerOf(t, entry{name: "a"}), MediaType: types.MediaType("application/odd")})
	if err != nil {
		t.Fatal(err)
	}
	pushImage(t, s, host+"/odd:v1", odd)
	for _, test := range []struct {
		name, image string
		want        error
	}{
		{"no registry", "busybox:1", ErrName}, {"no tag", host + "/a", ErrName}, {"nonsense", "::", ErrName},
		{"no tag of that name", host + "/a:v2", ErrAbsent}, {"no repository of that name", host + "/b:v1", ErrAbsent},
		{"several architectures", host + "/index:v1", ErrUnsupported}, {"odd layers", host + "/odd:v1", ErrUnsupported},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := s.Resolve(t.Context(), test.image); !errors.Is(err, test.want) {
				t.Errorf("error = %v, want %v", err, test.want)
			}
		})
	}
}

func TestRegistryFailures(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    error
	}{
		{"denied", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, ErrDenied},
		{"cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, errAborted},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := Source{Own: func(string) http.Handler { return test.handler }}
			if _, err := s.Resolve(t.Context(), host+"/a:v1"); !errors.Is(err, test.want) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := Source{Own: func(string) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
	}}
	if _, err := s.Resolve(ctx, host+"/a:v1"); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

// FuzzArchive finds out that nothing is written outside the directory, whatever a layer holds.
func FuzzArchive(f *testing.F) {
	f.Add(archiveOf(f, entry{name: "a/b", text: "x"}, entry{name: "l", link: "../.."}, entry{name: "l/c", text: "y"}, entry{name: ".wh.a"}))
	f.Add(archiveOf(f, entry{name: "../x", text: "x"}, entry{name: "h", hard: "/etc/passwd"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		around := t.TempDir()
		dir := filepath.Join(around, "in", "root")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		u := &unpacker{root: root, left: 1 << 20, entries: 100, buf: make([]byte, 4<<10)}
		if err := u.archive(t.Context(), bytes.NewReader(data)); err == nil {
			if err := u.mountPoints(); err != nil {
				t.Fatal(err)
			}
		}
		for _, parent := range []string{around, filepath.Join(around, "in")} {
			if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
				t.Fatalf("%s holds %v, %v", parent, entries, err)
			}
		}
	})
}
