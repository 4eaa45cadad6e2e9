package push

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/faas-lambda/faas-lambda/layers"
)

// counted is a registry that counts what is uploaded.
type counted struct {
	host string

	mu      sync.Mutex // guards uploads and mounts
	uploads int
	mounts  int
	refuse  int    // status for every upload; 0 for none
	apart   string // a repository that shares no blobs with the others but by mounts
}

func newRegistry(t *testing.T) *counted {
	t.Helper()
	c := &counted{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		refuse, apart := c.refuse, c.apart
		if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/blobs/uploads/") {
			if r.URL.Query().Get("mount") != "" {
				c.mounts++
			} else {
				c.uploads++
			}
		}
		c.mu.Unlock()
		if refuse != 0 && r.Method == http.MethodPost {
			http.Error(w, `{"errors":[{"code":"DENIED"}]}`, refuse)
			return
		}
		if mount := r.URL.Query().Get("mount"); mount != "" && r.Method == http.MethodPost { // the inner one has one store for all
			w.Header().Set("Location", strings.TrimSuffix(r.URL.Path, "uploads/")+mount)
			w.Header().Set("Docker-Content-Digest", mount)
			w.WriteHeader(http.StatusCreated)
			return
		}
		if apart != "" && r.Method == http.MethodHead && strings.HasPrefix(r.URL.Path, "/v2/"+apart+"/blobs/") {
			http.NotFound(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	c.host = strings.TrimPrefix(s.URL, "http://")
	return c
}

func (c *counted) counts() (uploads, mounts int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	uploads, mounts = c.uploads, c.mounts
	c.uploads, c.mounts = 0, 0
	return uploads, mounts
}

func tarOf(t *testing.T, name, content string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))})
	_, err2 := io.WriteString(w, content)
	if err := errors.Join(err, err2, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func layerOf(blob []byte, diffID digest.Digest, mediaType types.MediaType) layers.Layer {
	return layers.Layer{
		Digest: digest.FromBytes(blob).String(), DiffID: diffID.String(), MediaType: string(mediaType), Size: int64(len(blob)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(blob)), nil },
	}
}

// imageOf is an image whose layers are gzip, zstd and a plain tar.
func imageOf(t *testing.T) Image {
	t.Helper()
	var img Image
	var diffIDs []digest.Digest
	for i, kind := range []types.MediaType{types.DockerLayer, types.OCILayerZStd, types.OCIUncompressedLayer} {
		data := tarOf(t, "f"+string(rune('0'+i)), strings.Repeat("content ", 1000))
		blob := data
		switch kind {
		case types.DockerLayer:
			blob = gzipped(t, data)
		case types.OCILayerZStd:
			w, err := zstd.NewWriter(nil)
			if err != nil {
				t.Fatal(err)
			}
			blob = w.EncodeAll(data, nil)
		}
		diffIDs = append(diffIDs, digest.FromBytes(data))
		img.Layers = append(img.Layers, layerOf(blob, digest.FromBytes(data), kind))
	}
	var err error
	img.Config, err = json.Marshal(map[string]any{
		"os": "linux", "architecture": "amd64", "author": "somebody",
		"config":  map[string]any{"Entrypoint": []string{"old"}, "Cmd": []string{"old"}, "User": "app", "Labels": map[string]string{"a": "b"}},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": diffIDs},
		"history": []any{map[string]any{"created_by": "one"}, map[string]any{"created_by": "two"}, map[string]any{"created_by": "three"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func topOf(t *testing.T, content string) Top {
	t.Helper()
	data := tarOf(t, "var/task/bootstrap", content)
	blob := gzipped(t, data)
	file := filepath.Join(t.TempDir(), "top")
	if err := os.WriteFile(file, blob, 0o600); err != nil {
		t.Fatal(err)
	}
	return Top{
		File: file, Digest: digest.FromBytes(blob).String(), DiffID: digest.FromBytes(data).String(), Size: int64(len(blob)),
		Entrypoint: []string{"/var/task/bootstrap"}, Env: []string{"HOME=/tmp"}, Dir: "/home/app",
	}
}

func TestPushedImageIsWhatLambdaTakes(t *testing.T) {
	reg := newRegistry(t)
	img, top := imageOf(t), topOf(t, "program")
	to := Destination{Repository: reg.host + "/faas-lambda", TempDir: t.TempDir()}
	first, err := Push(t.Context(), img, top, to)
	if err != nil {
		t.Fatal(err)
	}
	if uploads, _ := reg.counts(); uploads != 5 { // four layers and the configuration
		t.Errorf("%d uploads", uploads)
	}
	again, err := Push(t.Context(), img, top, to)
	if err != nil || again != first {
		t.Errorf("pushed again: %s, %v, want %s", again, err, first)
	}
	if uploads, mounts := reg.counts(); uploads != 0 || mounts != 0 {
		t.Errorf("%d uploads and %d mounts for an image that is there", uploads, mounts)
	}
	if _, err := Push(t.Context(), img, topOf(t, "another program"), to); err != nil {
		t.Fatal(err)
	}
	if uploads, _ := reg.counts(); uploads != 2 { // the top layer and the configuration
		t.Errorf("%d uploads for another top layer", uploads)
	}
	ref, err := name.NewDigest(to.Repository + "@" + first)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	checkPulled(t, pulled, img, top)
	if left, err := os.ReadDir(to.TempDir); err != nil || len(left) != 0 {
		t.Errorf("%d temporary files are left, %v", len(left), err)
	}
}

func checkPulled(t *testing.T, pulled v1.Image, img Image, top Top) {
	t.Helper()
	m, err := pulled.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if m.MediaType != types.OCIManifestSchema1 || m.Config.MediaType != types.OCIConfigJSON {
		t.Errorf("manifest of type %s, configuration of type %s", m.MediaType, m.Config.MediaType)
	}
	list, err := pulled.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range list {
		kind, err := l.MediaType()
		if err != nil || kind != types.OCILayer {
			t.Errorf("layer %d is of type %s, %v", i, kind, err)
		}
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		want := top.DiffID
		if i < len(img.Layers) {
			want = img.Layers[i].DiffID
		}
		if got := digest.FromBytes(data).String(); got != want {
			t.Errorf("layer %d holds %s, want %s", i, got, want)
		}
	}
	c, err := pulled.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{Entrypoint: top.Entrypoint, Env: top.Env, WorkingDir: top.Dir, User: "app", Labels: map[string]string{"a": "b"}}
	if diff := cmp.Diff(want, c.Config); diff != "" {
		t.Errorf("configuration (-want +got)\n%s", diff)
	}
	if c.Author != "somebody" || len(c.RootFS.DiffIDs) != 4 || len(c.History) != 4 {
		t.Errorf("author %q, %d diff ids, history of %d", c.Author, len(c.RootFS.DiffIDs), len(c.History))
	}
}

func TestLayersOfTheSameRegistryAreMounted(t *testing.T) {
	reg := newRegistry(t)
	img := imageOf(t)
	img.Layers = img.Layers[:1]
	img.Config = []byte(`{"rootfs":{"type":"layers","diff_ids":["` + img.Layers[0].DiffID + `"]}}`)
	if _, err := Push(t.Context(), img, topOf(t, "one"), Destination{Repository: reg.host + "/team/source"}); err != nil {
		t.Fatal(err)
	}
	reg.counts()
	reg.apart = "faas-lambda"
	img.Repository = reg.host + "/team/source"
	img.Layers[0].Open = func(context.Context) (io.ReadCloser, error) {
		t.Error("the layer was read")
		return nil, io.ErrUnexpectedEOF
	}
	if _, err := Push(t.Context(), img, topOf(t, "two"), Destination{Repository: reg.host + "/faas-lambda"}); err != nil {
		t.Fatal(err)
	}
	if uploads, mounts := reg.counts(); mounts != 1 || uploads != 2 {
		t.Errorf("%d mounts, %d uploads", mounts, uploads)
	}
}

func TestPushRefuses(t *testing.T) {
	denied := newRegistry(t)
	denied.refuse = http.StatusForbidden
	good := newRegistry(t)
	broken := imageOf(t)
	broken.Layers[1].Open = func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("(\xb5/\xfdno zstd")), nil
	}
	noConfig := imageOf(t)
	noConfig.Config = []byte(`{"config":[]}`)
	noRoot := imageOf(t)
	noRoot.Config = []byte(`{}`)
	for name, c := range map[string]struct {
		img  Image
		to   string
		want error
	}{
		"denied":                {imageOf(t), denied.host + "/f", ErrDenied},
		"no repository":         {imageOf(t), good.host + "/UPPER CASE", ErrRepository},
		"no configuration":      {noConfig, good.host + "/f", ErrConfig},
		"no root file system":   {noRoot, good.host + "/f", ErrConfig},
		"layer that is damaged": {broken, good.host + "/f", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Push(t.Context(), c.img, topOf(t, "program"), Destination{Repository: c.to}); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// FuzzExtend checks that whatever the configuration holds, what comes out is
// JSON with the new start, or an error.
func FuzzExtend(f *testing.F) {
	f.Add([]byte(`{"config":{"Env":["A=1"]},"rootfs":{"diff_ids":["sha256:00"]},"history":null}`))
	f.Add([]byte(`{"rootfs":null}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		out, err := extend(config, Top{Entrypoint: []string{"/b"}, DiffID: "sha256:11"})
		if err != nil {
			return
		}
		var c v1.ConfigFile
		if err := json.Unmarshal(out, &c); err == nil && (len(c.Config.Entrypoint) != 1 || len(c.RootFS.DiffIDs) == 0) {
			t.Errorf("%s", out)
		}
	})
}
