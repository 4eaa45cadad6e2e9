package integration

import (
	"archive/tar"
	"compress/gzip"
	"debug/elf"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/images"
	"github.com/faas-lambda/faas-lambda/layers/relocate/ldso"
)

// fromRoot returns the file of a root that ends so.
func fromRoot(t *testing.T, suite, arch, suffix string, packages ...string) []byte {
	t.Helper()
	file, err := images.Root(t.Context(), suite, arch, packages...)
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
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("%s of %s has no %s", suite, arch, suffix)
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && strings.HasSuffix(h.Name, suffix) {
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
}

// TestRealLoadersArePatched holds what is known about loaders against those of
// Debian's releases: none of the host's names is left in them.
func TestRealLoadersArePatched(t *testing.T) {
	for name, c := range map[string]struct {
		suite, arch, pkg, file string
		kind                   ldso.Kind
		machine                elf.Machine
		edits                  int
	}{
		"glibc 2.36, amd64": {"bookworm", "amd64", "libc6", "/ld-linux-x86-64.so.2", ldso.Glibc, elf.EM_X86_64, 4},
		"glibc 2.41, amd64": {"trixie", "amd64", "libc6", "/ld-linux-x86-64.so.2", ldso.Glibc, elf.EM_X86_64, 4},
		"glibc 2.36, arm64": {"bookworm", "arm64", "libc6", "/ld-linux-aarch64.so.1", ldso.Glibc, elf.EM_AARCH64, 4},
		"glibc 2.41, arm64": {"trixie", "arm64", "libc6", "/ld-linux-aarch64.so.1", ldso.Glibc, elf.EM_AARCH64, 4},
		"musl 1.2.3, amd64": {"bookworm", "amd64", "musl", "linux-musl/libc.so", ldso.Musl, elf.EM_X86_64, 1},
		"musl 1.2.5, amd64": {"trixie", "amd64", "musl", "linux-musl/libc.so", ldso.Musl, elf.EM_X86_64, 1},
		"musl 1.2.5, arm64": {"trixie", "arm64", "musl", "linux-musl/libc.so", ldso.Musl, elf.EM_AARCH64, 1},
		"musl 1.2.3, arm64": {"bookworm", "arm64", "musl", "linux-musl/libc.so", ldso.Musl, elf.EM_AARCH64, 1},
	} {
		t.Run(name, func(t *testing.T) {
			loader := fromRoot(t, c.suite, c.arch, c.file, c.pkg)
			p, err := ldso.PatchLoader(c.kind, c.machine, loader, "/var/task")
			if err != nil || len(p.Edits) != c.edits {
				t.Fatalf("%d edits, %v", len(p.Edits), err)
			}
			for _, e := range p.Edits {
				copy(loader[e.At:], e.Bytes)
			}
			for _, gone := range []string{"\x00/etc/ld.so.cache\x00", "\x00/etc/ld.so.preload\x00", "/usr/lib/\x00", "/etc/ld-musl-x86_64.path\x00", "/etc/ld-musl-aarch64.path\x00"} {
				if strings.Contains(string(loader), gone) {
					t.Errorf("it still holds %q", gone)
				}
			}
			if _, err := ldso.PatchLoader(c.kind, c.machine, loader, "/var/task"); !errors.Is(err, ldso.ErrUnknown) {
				t.Errorf("patched twice: %v", err)
			}
		})
	}
}
