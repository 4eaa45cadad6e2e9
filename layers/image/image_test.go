package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// layerOf makes a gzip layer with one file.
func layerOf(t testing.TB, name, content string) v1.Layer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644})
	_, err2 := io.WriteString(w, content)
	if err := errors.Join(err, err2, w.Close()); err != nil {
		t.Fatal(err)
	}
	return must(tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }))(t)
}

// imageOf makes an image of two layers.
func imageOf(t testing.TB, system, arch string) v1.Image {
	t.Helper()
	img := must(mutate.AppendLayers(empty.Image, layerOf(t, "a", "base"), layerOf(t, "b", arch)))(t)
	return must(mutate.ConfigFile(img, withConfig(must(img.ConfigFile())(t), system, arch)))(t)
}

func withConfig(c *v1.ConfigFile, system, arch string) *v1.ConfigFile {
	c = c.DeepCopy()
	c.OS, c.Architecture = system, arch
	c.Config = v1.Config{
		Entrypoint: []string{"/entry"}, Cmd: []string{"fwatchdog"}, Env: []string{"PATH=/bin", "mode=http"},
		WorkingDir: "/home/app", User: "app", Labels: map[string]string{"k": "v"},
	}
	return c
}

func indexOf(t testing.TB, images ...v1.Image) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, img := range images {
		c := must(img.ConfigFile())(t)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: c.OS, Architecture: c.Architecture}},
		})
	}
	return index
}

// serve starts a registry; wrap may stand before it. The result is its host:port.
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

// bare gives the test a machine without any configuration.
func bare(t testing.TB) {
	t.Helper()
	for _, k := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "HTTP_PROXY", "HTTPS_PROXY"} {
		old, ok := os.LookupEnv(k)
		if err := os.Unsetenv(k); err != nil {
			t.Fatal(err)
		}
		if ok {
			t.Cleanup(func() { _ = os.Setenv(k, old) })
		}
	}
}

func push(t testing.TB, ref string, what any) {
	t.Helper()
	r := must(name.ParseReference(ref))(t)
	var err error
	switch w := what.(type) {
	case v1.Image:
		err = remote.Write(r, w)
	case v1.ImageIndex:
		err = remote.WriteIndex(r, w)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryTransportGivesTheSameImage(t *testing.T) {
	bare(t)
	amd, arm := imageOf(t, "linux", "amd64"), imageOf(t, "linux", "arm64")
	index := indexOf(t, imageOf(t, "windows", "amd64"), arm, amd)
	host := serve(t, nil)
	push(t, host+"/team/fn:1", index)
	push(t, host+"/team/fn:single", amd)
	dir := t.TempDir()
	l := must(layout.Write(filepath.Join(dir, "oci"), empty.Index))(t)
	err := errors.Join(
		l.AppendImage(amd, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "single"})),
		l.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "both"})),
		tarball.WriteToFile(filepath.Join(dir, "docker.tar"), must(name.NewTag("team/fn:1"))(t), amd),
	)
	if err != nil {
		t.Fatal(err)
	}
	tarDir(t, filepath.Join(dir, "oci"), filepath.Join(dir, "oci.tar"))
	amdDigest, armDigest := must(amd.Digest())(t).String(), must(arm.Digest())(t).String()
	for _, c := range []struct{ ref, arch, digest string }{
		{host + "/team/fn:1", "", amdDigest},
		{host + "/team/fn:1", "arm64", armDigest},
		{host + "/team/fn:single", "amd64", amdDigest},
		{"docker://" + host + "/team/fn:1", "amd64", amdDigest},
		{host + "/team/fn@" + amdDigest, "amd64", amdDigest},
		{host + "/team/fn:gone@" + amdDigest, "amd64", amdDigest},
		{host + "/team/fn@" + must(index.Digest())(t).String(), "arm64", armDigest},
		{"oci:" + dir + "/oci:single", "", amdDigest},
		{"oci:" + dir + "/oci:both", "arm64", armDigest},
		{"oci-archive:" + dir + "/oci.tar:both", "amd64", amdDigest},
		{"docker-archive:" + dir + "/docker.tar", "amd64", ""},
		{"docker-archive:" + dir + "/docker.tar:team/fn:1", "amd64", ""},
	} {
		t.Run(c.ref+" "+c.arch, func(t *testing.T) {
			img, err := Open(t.Context(), c.ref, Options{Arch: c.arch, Local: true, TempDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			if c.digest != "" && img.Digest != c.digest {
				t.Errorf("digest %s, want %s", img.Digest, c.digest)
			}
			want := layers.Config{
				Arch: c.arch, Entrypoint: []string{"/entry"}, Cmd: []string{"fwatchdog"}, Env: []string{"PATH=/bin", "mode=http"},
				Dir: "/home/app", User: "app", Labels: map[string]string{"k": "v"},
			}
			if c.arch == "" {
				want.Arch = "amd64"
			}
			if diff := cmp.Diff(want, img.Config); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if n := len(img.Layers()); n != 2 {
				t.Fatalf("%d layers", n)
			}
			for _, l := range img.Layers() {
				if data, err := read(t, l); err != nil || int64(len(data)) != l.Size || !strings.HasPrefix(l.DiffID, "sha256:") {
					t.Errorf("layer %s: %d of %d bytes, diff id %s: %v", l.Digest, len(data), l.Size, l.DiffID, err)
				}
			}
			if err := img.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func read(t testing.TB, l layers.Layer) ([]byte, error) {
	t.Helper()
	r, err := l.Open(t.Context())
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func tarDir(t testing.TB, dir, to string) {
	t.Helper()
	f := must(os.Create(to))(t)
	w := tar.NewWriter(f)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// change makes a handler that changes the answers to matching requests.
func change(match string, answer func(w http.ResponseWriter, body []byte)) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, match) {
				h.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			for k, v := range rec.Header() {
				if k != "Content-Length" {
					w.Header()[k] = v
				}
			}
			answer(w, rec.Body.Bytes())
		})
	}
}

func fail(status int, body string) func(http.ResponseWriter, []byte) {
	return func(w http.ResponseWriter, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestOpenRefuses(t *testing.T) {
	bare(t)
	amd := imageOf(t, "linux", "amd64")
	artifact := mutate.ConfigMediaType(amd, "application/vnd.cncf.helm.config.v1+json")
	foreign := must(mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer([]byte("x"), types.OCIRestrictedLayer), URLs: []string{"http://127.0.0.1:1/x"}}))(t)
	foreign = must(mutate.ConfigFile(foreign, withConfig(must(foreign.ConfigFile())(t), "linux", "amd64")))(t)
	odd := must(mutate.AppendLayers(empty.Image, static.NewLayer([]byte("x"), "application/wasm")))(t)
	odd = must(mutate.ConfigFile(odd, withConfig(must(odd.ConfigFile())(t), "linux", "amd64")))(t)
	config := must(amd.ConfigName())(t).String()
	other := "sha256:" + strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		what any
		wrap func(http.Handler) http.Handler
		ref  string
		opts Options
		want error
		says string
	}{
		"unknown tag":             {what: amd, ref: "/fn:other", want: ErrNotFound, says: "/fn:other"},
		"unknown name":            {ref: "/nothing", want: ErrNotFound},
		"unknown digest":          {what: amd, ref: "/fn@" + other, want: ErrNotFound},
		"404 that is no JSON":     {ref: "/fn", wrap: change("/manifests/", fail(404, "no")), want: ErrNotFound},
		"wrong architecture":      {what: amd, opts: Options{Arch: "arm64"}, want: ErrPlatform, says: "wanted linux/arm64, found linux/amd64"},
		"no Lambda architecture":  {what: amd, opts: Options{Arch: "s390x"}, want: ErrPlatform},
		"not a Linux image":       {what: imageOf(t, "windows", "amd64"), want: ErrPlatform, says: "found windows/amd64"},
		"index without platform":  {what: indexOf(t, imageOf(t, "linux", "arm64"), imageOf(t, "windows", "amd64")), want: ErrPlatform, says: "found linux/arm64, windows/amd64"},
		"index of nothing":        {what: indexOf(t), want: ErrInvalid},
		"artifact":                {what: artifact, want: ErrInvalid, says: "helm"},
		"layer kept elsewhere":    {what: foreign, want: ErrInvalid, says: "somewhere else"},
		"layer of another type":   {what: odd, want: ErrInvalid, says: "wasm"},
		"manifest is no JSON":     {what: amd, wrap: change("/manifests/", func(w http.ResponseWriter, _ []byte) { _, _ = io.WriteString(w, "{") }), want: ErrInvalid},
		"manifest of format one":  {what: amd, wrap: change("/manifests/", schema1), want: ErrInvalid, says: "first format"},
		"manifest changed":        {what: amd, ref: "/fn@" + must(amd.Digest())(t).String(), wrap: change("/manifests/", space), want: ErrDigest},
		"configuration changed":   {what: amd, wrap: change(config, flip), want: ErrDigest},
		"configuration cut":       {what: amd, wrap: change(config, cut), want: ErrDigest, says: "ended after"},
		"configuration prolonged": {what: amd, wrap: change(config, space), want: ErrDigest, says: "larger"},
		"denied":                  {what: amd, wrap: change("/manifests/", fail(403, `{"errors":[{"code":"DENIED","message":"no"}]}`)), want: ErrUnauthorized},
		"login needed":            {what: amd, wrap: change("/v2/", challenge), want: ErrUnauthorized},
		"registry broken":         {what: amd, wrap: change("/manifests/", fail(500, "")), want: ErrUnavailable},
		"registry gone":           {ref: "127.0.0.1:1/fn", want: ErrUnavailable, says: "127.0.0.1:1"},
		"no reference":            {ref: "Not A Reference", want: ErrReference},
		"nothing":                 {ref: " ", want: ErrReference},
		"unsupported transport":   {ref: "containers-storage:x", want: ErrReference},
		"URL":                     {ref: "https://example.com/fn", want: ErrReference},
		"layout in a served one":  {ref: "oci:/tmp/x", want: ErrLocalReference, says: "oci:"},
		"archive in a served one": {ref: "oci-archive:/tmp/x.tar", want: ErrLocalReference},
		"docker archive likewise": {ref: "docker-archive:/etc/passwd", want: ErrLocalReference},
		"missing layout":          {ref: "oci:/nowhere/at/all", opts: Options{Local: true}, want: ErrNotFound},
		"missing archive":         {ref: "oci-archive:/nowhere.tar", opts: Options{Local: true}, want: ErrNotFound},
		"missing docker archive":  {ref: "docker-archive:/nowhere.tar", opts: Options{Local: true}, want: ErrNotFound},
		"archive that is none":    {ref: "docker-archive:image_test.go", opts: Options{Local: true}, want: ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			ref := strings.TrimSpace(c.ref)
			if c.ref == "" || strings.HasPrefix(c.ref, "/") {
				armed := false
				host := serve(t, func(h http.Handler) http.Handler {
					changed := h
					if c.wrap != nil {
						changed = c.wrap(h)
					}
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if armed {
							h = changed
						}
						h.ServeHTTP(w, r)
					})
				})
				if c.what != nil {
					push(t, host+"/fn:latest", c.what)
				}
				armed = true
				if ref == "" {
					ref = "/fn"
				}
				ref = host + ref
			}
			c.opts.TempDir = t.TempDir()
			img, err := Open(t.Context(), ref, c.opts)
			if err == nil {
				t.Fatal("opened", img.Close())
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v saying %q", err, c.want, c.says)
			}
			if left, err := os.ReadDir(c.opts.TempDir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func flip(w http.ResponseWriter, body []byte) {
	body = bytes.Clone(body)
	body[len(body)/2] ^= 1
	_, _ = w.Write(body)
}
func cut(w http.ResponseWriter, body []byte)   { _, _ = w.Write(body[:len(body)/2]) }
func space(w http.ResponseWriter, body []byte) { _, _ = w.Write(append(bytes.Clone(body), ' ')) }
func schema1(w http.ResponseWriter, _ []byte) {
	w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v1+json")
	_, _ = io.WriteString(w, `{"schemaVersion":1}`)
}
func challenge(w http.ResponseWriter, _ []byte) {
	w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
	fail(401, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)(w, nil)
}

func TestLayersAreVerifiedWhileTheyAreRead(t *testing.T) {
	bare(t)
	amd := imageOf(t, "linux", "amd64")
	top := must(must(amd.Layers())(t)[1].Digest())(t).String()
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, []byte)
		want   error
	}{
		"changed":   {flip, ErrDigest},
		"cut":       {cut, ErrDigest},
		"prolonged": {space, ErrDigest},
		"gone":      {fail(404, `{"errors":[{"code":"BLOB_UNKNOWN"}]}`), ErrNotFound},
		"broken":    {fail(502, ""), ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			host := serve(t, change("/blobs/"+top, c.answer))
			push(t, host+"/fn", amd)
			img, err := Open(t.Context(), host+"/fn", Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := read(t, img.Layers()[0]); err != nil {
				t.Errorf("the other layer: %v", err)
			}
			data, err := read(t, img.Layers()[1])
			if !errors.Is(err, c.want) || int64(len(data)) > img.Layers()[1].Size {
				t.Errorf("%d bytes of %d, %v, want %v", len(data), img.Layers()[1].Size, err, c.want)
			}
			if err := img.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCredentialsComeFromTheAuthFile(t *testing.T) {
	bare(t)
	locked := false
	host := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if u, p, _ := r.BasicAuth(); locked && (u != "me" || p != "secret") {
				challenge(w, nil)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	push(t, host+"/fn", imageOf(t, "linux", "amd64"))
	locked = true
	for auth, want := range map[string]error{"bWU6c2VjcmV0": nil, "bWU6d3Jvbmc=": ErrUnauthorized} {
		file := filepath.Join(t.TempDir(), "auth.json")
		if err := os.WriteFile(file, fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, host, auth), 0o600); err != nil {
			t.Fatal(err)
		}
		img, err := Open(t.Context(), host+"/fn", Options{AuthFile: file})
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		if err == nil {
			err = img.Close()
		}
		if want == nil && err != nil {
			t.Error(err)
		}
	}
}

func TestOnlyNamedRegistriesMayBeInsecure(t *testing.T) {
	for _, c := range []struct {
		ref, registry string
		insecure      bool
	}{
		{"alpine", "docker.io", false},
		{"team/fn:1", "docker.io", false},
		{"localhost/fn", "localhost", true},
		{"localhost:5000/fn", "localhost:5000", true},
		{"127.0.0.1:5000/fn", "127.0.0.1:5000", true},
		{"127.8.0.1/fn", "127.8.0.1", true},
		{"registry.lan:5000/fn", "registry.lan:5000", true},
		{"registry.lan/fn", "registry.lan", false},
		{"registry.lan:5001/fn", "registry.lan:5001", false},
		{"localhost.example.com/fn", "localhost.example.com", false},
	} {
		opts := Options{Arch: "amd64", InsecureRegistries: []string{"registry.lan:5000"}}
		r, err := parse(c.ref, opts)
		if err != nil {
			t.Errorf("%s: %v", c.ref, err)
			continue
		}
		s, err := r.system(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.DockerInsecureSkipTLSVerify == 1; r.registry != c.registry || got != c.insecure {
			t.Errorf("%s: registry %s, insecure %v", c.ref, r.registry, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a", "docker://a/b:c", "oci:d:r", "a@sha256:" + strings.Repeat("0", 64), "[::1]:1/a", "docker-archive:f:@1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		if r, err := parse(ref, Options{Arch: "amd64"}); err == nil && r.registry == "" {
			t.Errorf("%q names no registry", ref)
		}
	})
}
