package flatten

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/cache"
	"github.com/faas-lambda/faas-lambda/layers/press"
)

// awkward are layers with one of everything that an index holds.
func awkward(t testing.TB) []layers.Layer {
	x := file("x", "1")
	x.PAXRecords = map[string]string{"SCHILY.xattr.user.a": "b"}
	x.ModTime = time.Unix(1_700_000_001, 0)
	none := file("o/2", "")
	none.ModTime = time.Unix(1<<32+7, 0)
	return []layers.Layer{
		layer(t, "gzip", pack(t, file("d/a", "1"), file("d/b", strings.Repeat("big", 1<<19)), file("gone", ""), symlink("l", "d"), device("dev/null", tar.TypeChar))),
		layer(t, "zstd", pack(t, dir("d"), hard("c", "d/a"), hard("cc", "c"), hard("k", "gone"), file(".wh.gone", ""), x, file("o/1", "#!/bin/sh\n"))),
		plain(t, none, file("o/.wh..wh..opq", ""), tar.Header{Name: "s", Typeflag: tar.TypeReg, Mode: 0o4755}),
	}
}

// everything says what a result holds.
func everything(t testing.TB, r *Result) (out []string) {
	out = describe(t, r.Tree)
	for e := range r.Tree.All() {
		out = append(out, e.Mode.String(), fmt.Sprint(e.ModTime))
		if c, ok := e.Content.(*press.Content); ok {
			out = append(out, c.Key(), string(c.Head()))
		}
	}
	for _, l := range r.LeftOut {
		out = append(out, l.Path, l.Layer, l.Reason)
	}
	return append(out, strings.Repeat("x", r.Xattrs))
}

func flattenCached(t testing.TB, dir string, list []layers.Layer) ([]string, []bool) {
	t.Helper()
	store, err := cache.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Flatten(t.Context(), list, Options{Cache: store})
	if err != nil {
		t.Fatal(err)
	}
	out := everything(t, r)
	var cached []bool
	for _, l := range r.Layers {
		cached = append(cached, l.Cached)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return out, cached
}

// unread is a list of layers that cannot be read again.
func unread(list []layers.Layer) []layers.Layer {
	out := append([]layers.Layer{}, list...)
	for i := range out {
		out[i].Open = func(context.Context) (io.ReadCloser, error) { return nil, errBroken }
	}
	return out
}

func TestTheCacheMakesTheSameTree(t *testing.T) {
	dir, list := t.TempDir(), awkward(t)
	cold, cached := flattenCached(t, dir, list)
	if diff := cmp.Diff([]bool{false, false, false}, cached); diff != "" {
		t.Errorf("cold (-want +got)\n%s", diff)
	}
	warm, cached := flattenCached(t, dir, unread(list))
	if diff := cmp.Diff([]bool{true, true, true}, cached); diff != "" {
		t.Errorf("warm (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(cold, warm); diff != "" {
		t.Errorf("(-cold +warm)\n%s", diff)
	}
	if diff := cmp.Diff(cold, everything(t, flatten(t, Options{}, list...))); diff != "" {
		t.Errorf("(-cached +without a cache)\n%s", diff)
	}
}

func TestDamagedLayerIsReadAgain(t *testing.T) {
	dir, list := t.TempDir(), awkward(t)
	cold, _ := flattenCached(t, dir, list)
	blobs, err := filepath.Glob(filepath.Join(dir, "layer-*"))
	if err != nil || len(blobs) != len(list) {
		t.Fatalf("%v, %v", blobs, err)
	}
	data, err := os.ReadFile(blobs[0])
	if err != nil {
		t.Fatal(err)
	}
	data[0] ^= 1
	if err := os.WriteFile(blobs[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	again, cached := flattenCached(t, dir, list)
	if diff := cmp.Diff(cold, again); diff != "" {
		t.Errorf("(-before +after)\n%s", diff)
	}
	fresh := 0
	for _, c := range cached {
		if !c {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%d layers were read again, want 1", fresh)
	}
}

func TestLimitsHoldForCachedLayers(t *testing.T) {
	dir, list := t.TempDir(), awkward(t)
	flattenCached(t, dir, list)
	store, err := cache.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]Limits{"entries": {Entries: 5}, "bytes": {Bytes: 1 << 20}} {
		if _, err := Flatten(t.Context(), unread(list), Options{Cache: store, Limits: l}); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v, want ErrLimit", name, err)
		}
	}
}

// TestLayerThatIsRefusedIsNotKept gives a layer another DiffID than its own,
// before and after the honest one was cached.
func TestLayerThatIsRefusedIsNotKept(t *testing.T) {
	dir := t.TempDir()
	good := plain(t, file("a", "1"))
	bad := good
	bad.DiffID = digest([]byte("other"))
	store, err := cache.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Flatten(t.Context(), []layers.Layer{bad}, Options{Cache: store}); !errors.Is(err, ErrDigest) {
			t.Errorf("%v, want ErrDigest", err)
		}
		flattenCached(t, dir, []layers.Layer{good})
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("in the cache: %v, %v", left, err)
	}
}

func FuzzIndex(f *testing.F) {
	x := &index{root: newDir(), budget: newBudget(Limits{})}
	data := pack(f, dir("d"), file("e", ""), symlink("l", "d"), hard("h", "lower"), file("d/.wh.a", ""), device("p", tar.TypeFifo))
	err := x.read(f.Context(), strings.NewReader(string(data)), func(context.Context, io.Reader, int64) (layers.Content, error) { return empty{}, nil })
	if err != nil {
		f.Fatal(err)
	}
	f.Add(x.encode(nil))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = decodeIndex(data, &press.Source{})
	})
}
