package cache

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t testing.TB, dir string, limit int64) *Cache {
	t.Helper()
	c, err := Open(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// keep puts a blob into the cache.
func keep(t testing.TB, c *Cache, name string, data, index []byte) {
	t.Helper()
	w, err := c.Create()
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(data)
	if err := errors.Join(err, w.Commit(name, index), w.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestBlobsAreFoundByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"empty": nil, "small": []byte("data"),
		"one chunk": bytes.Repeat([]byte("x"), chunkSize), "chunks": bytes.Repeat([]byte("abc"), chunkSize),
	} {
		t.Run(name, func(t *testing.T) {
			keep(t, open(t, dir, 0), "n", data, []byte("index"))
			b, err := open(t, dir, 0).Open(t.Context(), "n")
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(data))
			if len(data) > 0 {
				_, err = b.ReadAt(got, 0)
			}
			if err := errors.Join(err, b.Close()); err != nil || !bytes.Equal(got, data) || string(b.Index) != "index" {
				t.Errorf("index %q, same data %v, %v", b.Index, bytes.Equal(got, data), err)
			}
		})
	}
}

func TestDamagedBlobsAreForgotten(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), chunkSize/4)
	for name, damage := range map[string]func([]byte) []byte{
		"first byte":     func(b []byte) []byte { b[0] ^= 1; return b },
		"second chunk":   func(b []byte) []byte { b[chunkSize+7] ^= 1; return b },
		"index":          func(b []byte) []byte { b[len(data)] ^= 1; return b },
		"footer":         func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"cut":            func(b []byte) []byte { return b[:len(b)-1] },
		"cut to nothing": func([]byte) []byte { return nil },
		"prolonged":      func(b []byte) []byte { return append(b, 0) },
		"something else": func([]byte) []byte { return bytes.Repeat([]byte("no blob"), 100) },
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, t.TempDir(), 0)
			keep(t, c, "n", data, []byte("index"))
			whole, err := os.ReadFile(c.path("n"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(c.path("n"), damage(whole), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Open(t.Context(), "n"); !errors.Is(err, ErrMiss) {
				t.Errorf("got %v, want ErrMiss", err)
			}
			if _, err := os.Stat(c.path("n")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it is still there: %v", err)
			}
		})
	}
}

func TestWhatIsNotCommittedIsGone(t *testing.T) {
	dir := t.TempDir()
	w, err := open(t, dir, 0).Create()
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte("half"))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
}

func TestPruneRemovesTheLeastRecentlyUsed(t *testing.T) {
	c := open(t, t.TempDir(), 1)
	for name, age := range map[string]time.Duration{"old": time.Hour, "new": 0} {
		keep(t, c, name, []byte(name), nil)
		at := time.Now().Add(-age)
		if err := os.Chtimes(c.path(name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for name, age := range map[string]time.Duration{unfinished + "dead": 2 * abandoned, unfinished + "alive": 0} {
		path, at := filepath.Join(c.dir, name), time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Prune(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(c.dir)
	if err != nil || len(left) != 2 || left[0].Name() != unfinished+"alive" || left[1].Name() != "new"+suffix {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestFactsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir, 0).Facts(), open(t, dir, 0).Facts()
	b.Fact("loads it") // before a writes
	a.Remember("k", []byte("v"))
	b.Remember("other", []byte("w"))
	if err := errors.Join(a.Flush(), b.Flush()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "facts")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// A process that died in the middle of a record.
	if err := os.WriteFile(file, append(data, "half a record"...), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f := open(t, dir, 0).Facts()
		for k, want := range map[string]string{"k": "v", "other": "w"} {
			if got, ok := f.Fact(k); !ok || string(got) != want {
				t.Errorf("%s is %q, %v", k, got, ok)
			}
		}
		f.Remember("more", []byte("m"))
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzTail(f *testing.F) {
	c := open(f, f.TempDir(), 0)
	keep(f, c, "n", []byte("data"), []byte("index"))
	whole, err := os.ReadFile(c.path("n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, data []byte) {
		size, index, sums, err := tail(bytes.NewReader(data), int64(len(data)))
		if err == nil && size+int64(len(index)+len(sums)+footerSize) != int64(len(data)) {
			t.Errorf("%d + %d + %d bytes of %d", size, len(index), len(sums), len(data))
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, "key", []byte("fact")))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, fact, rest, ok := cutRecord(data)
		if ok && !bytes.Equal(append(appendRecord(nil, key, fact), rest...), data) {
			t.Error("another record")
		}
	})
}
