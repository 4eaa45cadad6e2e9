package packaging

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/layers/bundle"
)

// stored adds a package of some content to a store.
func stored(t *testing.T, store packageStore, key, content string) Package {
	t.Helper()
	pkg, err := store.add(key, func(w io.Writer) (Package, error) {
		sum := sha256.Sum256([]byte(content))
		_, err := io.WriteString(w, content)
		return Package{Digest: "sha256:0", Env: []string{"a=b"}, Summary: bundle.Summary{
			Zipped: int64(len(content)), SHA256: base64.StdEncoding.EncodeToString(sum[:]),
		}}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

func TestPackagesAreFoundAgain(t *testing.T) {
	store := packageStore{dir: filepath.Join(t.TempDir(), "new", "cache")}
	if _, err := store.find("a"); !errors.Is(err, errNotCached) {
		t.Errorf("empty: %v", err)
	}
	stored(t, store, "a", "content")
	pkg, err := store.find("a")
	if err != nil || pkg.Env[0] != "a=b" {
		t.Fatalf("%+v, %v", pkg, err)
	}
	if content, err := pkg.Content(); err != nil || string(content) != "content" {
		t.Errorf("%q, %v", content, err)
	}
	if err := os.WriteFile(pkg.Path, []byte("CONTENT"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pkg.Content(); err == nil {
		t.Error("a package that changed was used")
	}
	if err := os.Truncate(pkg.Path, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := store.find("a"); !errors.Is(err, errNotCached) {
		t.Errorf("cut short: %v", err)
	}
}

func TestPackageThatFailsLeavesNothing(t *testing.T) {
	store := packageStore{dir: t.TempDir()}
	broken := errors.New("broken")
	if _, err := store.add("a", func(w io.Writer) (Package, error) {
		_, err := io.WriteString(w, "half")
		return Package{}, errors.Join(err, broken)
	}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if entries, err := os.ReadDir(store.dir); err != nil || len(entries) != 0 {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestPruneKeepsWhatMayBeInUse(t *testing.T) {
	store := packageStore{dir: t.TempDir()}
	for name, age := range map[string]time.Duration{"old": time.Hour, "older": 2 * time.Hour, "new": 0} {
		path := filepath.Join(store.dir, name+".zip")
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		// Holes, not bytes.
		if err := errors.Join(file.Truncate(maxCache/2), file.Close(), os.Chtimes(path, time.Now().Add(-age), time.Now().Add(-age))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(store.dir, name+".json"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.prune(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(store.dir, "*"))
	if err != nil || len(left) != 4 {
		t.Errorf("left %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(store.dir, "older.zip")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the oldest is there: %v", err)
	}
}

func TestCacheKeyNamesEverything(t *testing.T) {
	spec := Spec{Image: "ref", Arch: "amd64", Process: "cat"}
	keys := map[string]bool{cacheKey("sha256:1", spec, []byte("b"), "1"): true}
	spec.Image = "another reference to the same image"
	keys[cacheKey("sha256:1", spec, []byte("b"), "1")] = true
	if len(keys) != 1 {
		t.Error("the reference is part of the key")
	}
	other := spec
	other.Process = "ca"
	keys[cacheKey("sha256:1", other, []byte("b"), "1")] = true
	other = spec
	other.Arch = "arm64"
	keys[cacheKey("sha256:1", other, []byte("b"), "1")] = true
	keys[cacheKey("sha256:2", spec, []byte("b"), "1")] = true
	keys[cacheKey("sha256:1", spec, []byte("c"), "1")] = true
	keys[cacheKey("sha256:1", spec, []byte("b"), "2")] = true
	if len(keys) != 6 {
		t.Errorf("%d keys, want 6", len(keys))
	}
}
