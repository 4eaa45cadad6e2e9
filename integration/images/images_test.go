package images

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"testing"
)

// TestRootHoldsARelease makes the smallest root there is.
func TestRootHoldsARelease(t *testing.T) {
	file, err := Root(t.Context(), "trixie", "arm64", "libc6")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := names[h.Name]; twice {
			t.Errorf("%s is there twice", h.Name)
		}
		names[h.Name] = h.Typeflag
	}
	if names["lib"] != tar.TypeSymlink || names["usr/lib/aarch64-linux-gnu/libc.so.6"] != tar.TypeReg {
		t.Errorf("%v", names)
	}
}
