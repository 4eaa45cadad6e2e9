package bundle

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/cache"
)

// keyed is content that has a key.
type keyed struct {
	content
	key string
}

func (k keyed) Key() string { return k.key }

// moved is a package whose files relocation changed: they have keys. What has
// none, launch.json with env and a cache of the loader, comes before them.
func moved(t testing.TB, env string, files ...string) Package {
	t.Helper()
	cache := content("loader's cache " + env)
	entries := []layers.Entry{{Path: ".ldso", Type: layers.File, Mode: 0o644, Size: int64(len(cache)), Content: cache}}
	for _, name := range files {
		text := content(strings.Repeat("content of "+name+"\n", 5000/len(name)))
		entries = append(entries, layers.Entry{Path: name, Type: layers.File, Mode: 0o755, Size: int64(len(text)), Content: keyed{text, "key of " + name}})
	}
	p := packageOf(treeOf(t, entries...))
	p.Start.Env = []string{"V=" + env}
	return p
}

func openCache(t testing.TB, dir string) *cache.Cache {
	t.Helper()
	c, err := cache.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// writeWith writes a package with a cache, or without one.
func writeWith(t testing.TB, p Package, c *cache.Cache) []byte {
	t.Helper()
	p.Cache, p.TempDir = c, t.TempDir()
	var buf bytes.Buffer
	if _, err := Write(t.Context(), &buf, p); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// unzip returns what every entry holds; reading it checks its CRC-32.
func unzip(t testing.TB, data []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		out[f.Name] = string(text)
	}
	return out
}

// same compares two zips, first by what is in them.
func same(t testing.TB, want, got []byte) {
	t.Helper()
	if bytes.Equal(want, got) {
		unzip(t, got)
		return
	}
	t.Error("other bytes")
	found := unzip(t, got)
	for name, text := range unzip(t, want) {
		if found[name] != text {
			t.Errorf("%s is different", name)
		}
	}
}

// TestPackagesShareACache writes packages of the same changed files, which
// differ in what has no key and lies before them, by programs that know nothing
// of one another's facts, in every order of learning about them.
func TestPackagesShareACache(t *testing.T) {
	files := []string{"a", "b", "long-name", "z"}
	short, long := moved(t, "1", files...), moved(t, strings.Repeat("long and 1234567890 ", 500), files...)
	other := moved(t, "other", "a", "between", "z")
	for name, order := range map[string][]int{"the first is known last": {1, 0}, "the second is known last": {0, 1}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			caches := []*cache.Cache{openCache(t, dir), openCache(t, dir)}
			for _, c := range caches {
				c.Facts().Fact("loads them")
			}
			for i, p := range []Package{short, long} {
				same(t, writeWith(t, p, nil), writeWith(t, p, caches[i]))
			}
			for _, i := range order {
				if err := caches[i].Facts().Flush(); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range append(caches, openCache(t, dir)) {
				for _, p := range []Package{short, long, other, moved(t, "third", files...), moved(t, "", "z")} {
					same(t, writeWith(t, p, nil), writeWith(t, p, c))
				}
			}
		})
	}
}

// TestWhatIsKeptIsNotCompressedAgain writes a package twice and lets the second
// one open nothing that has a key.
func TestWhatIsKeptIsNotCompressedAgain(t *testing.T) {
	c := openCache(t, t.TempDir())
	want := writeWith(t, moved(t, "1", "a", "b"), c)
	p := moved(t, "1", "a", "b")
	entries := []layers.Entry{}
	for e := range p.Tree.All() {
		if k := key(e.Content); k != "" {
			e.Content = unreadable{key: k}
		}
		entries = append(entries, e)
	}
	p.Tree = treeOf(t, entries...)
	same(t, want, writeWith(t, p, c))
}

type unreadable struct {
	failing
	key string
}

func (u unreadable) Key() string { return u.key }

// TestDamagedBlobIsMadeAgain damages what is kept, and puts other things in its
// place.
func TestDamagedBlobIsMadeAgain(t *testing.T) {
	p := moved(t, "1", "a", "b")
	want := writeWith(t, p, nil)
	for name, damage := range map[string]func(t *testing.T, path string, data []byte){
		"a byte of the data": func(t *testing.T, path string, data []byte) { data[10] ^= 1; put(t, path, data) },
		"a byte of the end":  func(t *testing.T, path string, data []byte) { data[len(data)-1] ^= 1; put(t, path, data) },
		"cut":                func(t *testing.T, path string, data []byte) { put(t, path, data[:len(data)/2]) },
		"gone":               func(t *testing.T, path string, _ []byte) { check(t, os.Remove(path)) },
		"another whole blob": func(t *testing.T, path string, _ []byte) {
			dir := t.TempDir()
			writeWith(t, moved(t, "2", "b", "a", "c"), openCache(t, dir))
			data, err := os.ReadFile(blobIn(t, dir))
			check(t, err)
			put(t, path, data)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := openCache(t, dir)
			writeWith(t, p, c)
			path := blobIn(t, dir)
			data, err := os.ReadFile(path)
			check(t, err)
			damage(t, path, data)
			same(t, want, writeWith(t, p, c))
			same(t, want, writeWith(t, p, c))
		})
	}
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	check(t, os.WriteFile(path, data, 0o600))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// blobIn returns the only blob in a cache.
func blobIn(t testing.TB, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "moved-*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	return found[0]
}

// TestWhatFailedIsNotKept lets the last file of a package fail: nothing of it is
// in the cache, and nothing is remembered.
func TestWhatFailedIsNotKept(t *testing.T) {
	dir := t.TempDir()
	c := openCache(t, dir)
	p := moved(t, "1", "a")
	entries := []layers.Entry{{Path: "z", Type: layers.File, Mode: 0o755, Size: 9, Content: unreadable{key: "z"}}}
	for e := range p.Tree.All() {
		entries = append(entries, e)
	}
	broken := p
	broken.Tree, broken.Cache = treeOf(t, entries...), c
	if _, err := Write(t.Context(), io.Discard, broken); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want %v", err, errBroken)
	}
	if err := c.Facts().Flush(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	same(t, writeWith(t, p, nil), writeWith(t, p, c))
}

// roleVariable makes the test program write one package with the cache that it
// names: NAME OF THE CACHE, COLON, ENV.
const roleVariable = "BUNDLE_TEST_WRITE"

// TestWriteInAnotherProcess is what the processes of
// TestProcessesWriteTheSameBytes do.
func TestWriteInAnotherProcess(t *testing.T) {
	dir, env, ok := strings.Cut(os.Getenv(roleVariable), ":")
	if !ok {
		return // an ordinary run
	}
	c := openCache(t, dir)
	for _, p := range []Package{moved(t, env, "a", "b", "c"), moved(t, env, "c", "d")} {
		data := writeWith(t, p, c)
		name := fmt.Sprintf("zip-%s-%d", env, p.Tree.Len())
		put(t, filepath.Join(dir, name), data)
	}
	check(t, c.Facts().Flush())
}

// TestProcessesWriteTheSameBytes lets several processes fill one cache at a time,
// and others use what they left.
func TestProcessesWriteTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // with an empty cache and with a full one
		var all []*exec.Cmd
		for _, env := range []string{"1", "two", "three"} {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriteInAnotherProcess$")
			cmd.Env = append(os.Environ(), roleVariable+"="+dir+":"+env)
			check(t, cmd.Start())
			all = append(all, cmd)
		}
		for _, cmd := range all {
			check(t, cmd.Wait())
		}
		for _, env := range []string{"1", "two", "three"} {
			for _, p := range []Package{moved(t, env, "a", "b", "c"), moved(t, env, "c", "d")} {
				got, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("zip-%s-%d", env, p.Tree.Len())))
				check(t, err)
				same(t, writeWith(t, p, nil), got)
			}
		}
	}
}

func TestPlacesAreReadAsWritten(t *testing.T) {
	want := []place{{"a", 1, 0, 2, 1 << 31}, {"b\x00", 1 << 40, 2, 3, 0}}
	got, ok := decodePlaces(encodePlaces(want))
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(place{})); !ok || diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func FuzzPlaces(f *testing.F) {
	f.Add(encodePlaces([]place{{"a", 1, 0, 2, 1 << 31}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, ok := decodePlaces(data)
		if again, _ := decodePlaces(encodePlaces(list)); ok && !cmp.Equal(list, again, cmp.AllowUnexported(place{})) {
			t.Errorf("%v became %v", list, again)
		}
	})
}
