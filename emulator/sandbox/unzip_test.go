package sandbox

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type entry struct {
	name, text string
	mode       fs.FileMode
}

func makeZip(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode != 0 {
			header.SetMode(e.mode)
		}
		f, err := w.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unpack(data []byte, dir string) error {
	return Unpack(bytes.NewReader(data), int64(len(data)), dir)
}

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	data := makeZip(
		t,
		entry{"bootstrap", "#!", 0o755},
		entry{"a/b/c", "deep", 0o640},
		entry{"sealed/", "", fs.ModeDir | 0o555},
		entry{"sealed/f", "x", 0o400},
		entry{"link", "a/b/c", fs.ModeSymlink | 0o777},
		entry{"absolute", "/etc/passwd", fs.ModeSymlink | 0o777},
		entry{"dangling", "../../nowhere", fs.ModeSymlink | 0o777},
		entry{"plain", "no mode", 0},
		entry{"empty/", "", fs.ModeDir | 0o755},
	)
	if err := unpack(data, dir); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{
		"bootstrap": 0o755, "a/b/c": 0o640, "sealed": fs.ModeDir | 0o755, "sealed/f": 0o400, "plain": 0o644, "empty": fs.ModeDir | 0o755,
	} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
	for name, want := range map[string]string{"link": "a/b/c", "absolute": "/etc/passwd", "dangling": "../../nowhere"} {
		if got, err := os.Readlink(filepath.Join(dir, name)); err != nil || got != want {
			t.Errorf("%s → %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	good := makeZip(t, entry{"bootstrap", strings.Repeat("text ", 100), 0o755})
	broken := bytes.Clone(good)
	broken[50] ^= 0xff // in the compressed data
	for _, test := range []struct {
		name string
		zip  []byte
		want error
	}{
		{"no zip", []byte("not a zip"), ErrBadZip},
		{"cut off", good[:len(good)-10], ErrBadZip},
		{"broken data", broken, ErrBadZip},
		{"parent", makeZip(t, entry{"../evil", "x", 0o644}), ErrBadZip},
		{"parent inside", makeZip(t, entry{"a/../../evil", "x", 0o644}), ErrBadZip},
		{"absolute", makeZip(t, entry{"/evil", "x", 0o644}), ErrBadZip},
		{"backslash", makeZip(t, entry{"..\\evil", "x", 0o644}), ErrBadZip},
		{"empty name", makeZip(t, entry{"", "x", 0o644}), ErrBadZip},
		{"device", makeZip(t, entry{"dev", "", fs.ModeDevice | 0o644}), ErrBadZip},
		{"file as directory", makeZip(t, entry{"a", "x", 0o644}, entry{"a/b", "x", 0o644}), ErrBadZip},
		{"through a symlink", makeZip(t, entry{"out", "/tmp", fs.ModeSymlink | 0o777}, entry{"out/evil", "x", 0o644}), ErrBadZip},
		{"symlink over a file", makeZip(t, entry{"f", "x", 0o644}, entry{"f", "/tmp", fs.ModeSymlink | 0o777}), ErrBadZip},
		{"declared too large", declare(t, makeZip(t, entry{"big", "x", 0o644}), MaxUnpacked), ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "in")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := unpack(test.zip, dir); !errors.Is(err, test.want) {
				t.Errorf("error = %v, want %v", err, test.want)
			}
			if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
				t.Errorf("written outside: %v, %v", entries, err)
			}
		})
	}
}

// declare makes the zip's directory tell another unpacked size.
func declare(t *testing.T, data []byte, size uint32) []byte {
	t.Helper()
	data = bytes.Clone(data)
	i := bytes.Index(data, []byte("PK\x01\x02"))
	if i < 0 {
		t.Fatal("no central directory")
	}
	binary.LittleEndian.PutUint32(data[i+24:], size)
	return data
}

// A zip whose directory tells less than it unpacks to is stopped while unpacking.
func TestUnpackLiar(t *testing.T) {
	data := declare(t, makeZip(t, entry{"big", strings.Repeat("x", 1<<20), 0o644}), 10)
	if err := unpack(data, t.TempDir()); err == nil {
		t.Error("a zip with a false size was unpacked")
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(makeZip(f, entry{"bootstrap", "x", 0o755}, entry{"l", "../..", fs.ModeSymlink | 0o777}))
	f.Add(makeZip(f, entry{"a/b/../c", "x", 0o644}, entry{"d/", "", fs.ModeDir | 0o755}))
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		dir := filepath.Join(parent, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unpack(data, dir); err != nil && !errors.Is(err, ErrBadZip) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("error = %v", err)
		}
		if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
			t.Errorf("written outside: %v, %v", entries, err)
		}
	})
}
