package integration

import (
	"archive/zip"
	"debug/elf"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/integration/images"
	"github.com/faas-lambda/faas-lambda/layers/relocate/ldso"
)

// unzip unpacks a package as Lambda does, below root.
func unzip(t *testing.T, file, root string) {
	t.Helper()
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		to := filepath.Join(root, f.Name)
		if f.FileInfo().IsDir() {
			if err := os.MkdirAll(to, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Mode()&fs.ModeSymlink != 0 {
			err = os.Symlink(string(data), to)
		} else {
			err = os.WriteFile(to, data, f.Mode().Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestARM64PackageIsWhole packages Debian's Python for arm64 and looks at every
// program and library of it; then it runs it by qemu, which takes what lies
// below a directory for the root of its system.
func TestARM64PackageIsWhole(t *testing.T) {
	root, err := images.Root(t.Context(), "trixie", "arm64", "python3-minimal", "libc-bin")
	if err != nil {
		t.Fatal(err)
	}
	layer, err := images.Layer(root)
	if err != nil {
		t.Fatal(err)
	}
	img, err := fixture.Image("arm64", v1.Config{Env: []string{debianPath, "mode=http", "fprocess=python3 -"}, Cmd: []string{"fwatchdog"}},
		fixture.Layer{"usr/bin/fwatchdog": fixture.Program(program(t, "watchdog", "arm64"))})
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, layer); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "function.zip")
	if said, err := faasLambda(t, "package", "--arch", "arm64", push(t, "functions/arm64:1", img), "-o", out); err != nil {
		t.Fatalf("package: %v\n%s", err, said)
	}
	task := filepath.Join(dir, "var/task")
	unzip(t, out, task)
	programs := 0
	err = filepath.WalkDir(task, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := elf.Open(p)
		if err != nil {
			return nil //nolint:nilerr // no program
		}
		defer f.Close()
		names, err := f.DynString(elf.DT_SONAME)
		for _, s := range f.Progs {
			if s.Type != elf.PT_INTERP || len(names) > 0 {
				continue
			}
			programs++
			name, err := io.ReadAll(s.Open())
			if err != nil {
				return err
			}
			if interp := strings.TrimRight(string(name), "\x00"); !strings.HasPrefix(interp, "/var/task/lib/ld-linux-aarch64") || f.Machine != elf.EM_AARCH64 {
				t.Errorf("%s names %s", p, interp)
			} else if _, err := os.Stat(filepath.Join(dir, interp)); err != nil {
				t.Error(err)
			}
		}
		return err
	})
	if err != nil || programs < 5 {
		t.Errorf("%d programs, %v", programs, err)
	}
	cache, err := os.ReadFile(filepath.Join(task, ldso.CacheFile))
	if err != nil {
		t.Fatal(err)
	}
	list, err := ldso.Read(cache)
	if err != nil || len(list) < 20 {
		t.Errorf("%d libraries, %v", len(list), err)
	}
	for _, l := range list {
		if _, err := os.Stat(filepath.Join(dir, l.Path)); err != nil {
			t.Error(err)
		}
	}
	runByQemu(t, dir)
}

// runByQemu runs the packaged Python; what the program opens is looked for below
// dir first.
func runByQemu(t *testing.T, dir string) {
	t.Helper()
	qemu, err := images.File(t.Context(), "bookworm", runtime.GOARCH, "qemu-user-static", "usr/bin/qemu-aarch64-static")
	if err != nil {
		t.Fatal(err)
	}
	const script = "import os, zlib; print(os.uname().machine, os.confstr('CS_GNU_LIBC_VERSION'), zlib.crc32(b'x')); print(open('/proc/self/maps').read())"
	cmd := exec.CommandContext(t.Context(), qemu, "-L", dir, filepath.Join(dir, "var/task/usr/bin/python3"), "-S", "-c", script)
	cmd.Env = []string{"PYTHONHOME=/var/task/usr"}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "aarch64 glibc 2.41 2363233923\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if _, file, ok := strings.Cut(line, " /"); ok && strings.Contains(file, ".so") && !strings.Contains(file, "var/task/") {
			t.Errorf("the host's /%s is mapped", strings.TrimSpace(file))
		}
	}
}
