package ldso

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompareIsTheLoadersOrder(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"libz.so.1", "libz.so.1", 0},
		{"libz.so.10", "libz.so.9", 1},
		{"libz.so.1", "libz.so", 1},
		{"lib1.so", "liba.so", 1}, // a digit comes after a letter
		{"lib-a.so", "lib.so", -1},
		{"lib01.so", "lib1.so", 0},
		{"libssl.so.3", "libssl.so.1.1", 1},
		{"", "a", -1},
	} {
		if got := Compare(c.a, c.b); min(max(got, -1), 1) != c.want {
			t.Errorf("Compare(%q, %q) = %d", c.a, c.b, got)
		}
		if got := Compare(c.b, c.a); min(max(got, -1), 1) != -c.want {
			t.Errorf("Compare(%q, %q) = %d", c.b, c.a, got)
		}
	}
}

func libraries() []Library {
	return []Library{
		{"libc.so.6", "/var/task/usr/lib/libc.so.6"}, {"libz.so.1", "/var/task/usr/lib/libz.so.1.2.13"}, {"libz.so.1", "/elsewhere/libz.so.1"},
		{"libm.so.6", "/var/task/usr/lib/libm.so.6"}, {"libfoo-2.9.so", "/x/libfoo-2.9.so"}, {"libfoo-2.10.so", "/x/libfoo-2.10.so"}, {"_x.so", "/x/_x.so"},
	}
}

func TestCacheIsReadBack(t *testing.T) {
	data, err := Write(elf.EM_X86_64, libraries())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(data)
	if err != nil {
		t.Fatal(err)
	}
	want := []Library{libraries()[1], libraries()[3], libraries()[5], libraries()[4], libraries()[0], libraries()[6]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestLdconfigReadsTheCache asks glibc's own program what a cache holds.
func TestLdconfigReadsTheCache(t *testing.T) {
	for machine, flags := range map[elf.Machine]string{elf.EM_X86_64: "libc6,x86-64", elf.EM_AARCH64: "libc6,AArch64"} {
		data, err := Write(machine, libraries())
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "cache")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		ldconfig, err := exec.LookPath("ldconfig")
		if err != nil {
			ldconfig = "/sbin/ldconfig"
		}
		out, err := exec.CommandContext(t.Context(), ldconfig, "-p", "-C", file).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, line := range []string{"6 libs found", "libz.so.1 (" + flags + ") => /var/task/usr/lib/libz.so.1.2.13\n", "libfoo-2.10.so (" + flags + ") => /x/libfoo-2.10.so\n"} {
			if !strings.Contains(string(out), line) {
				t.Errorf("%v: no %q in\n%s", machine, line, out)
			}
		}
	}
}

// TestOrderIsLdconfigs compares the order of the cache of this machine, which
// its ldconfig wrote, with ours.
func TestOrderIsLdconfigs(t *testing.T) {
	data, err := os.ReadFile("/etc/ld.so.cache")
	if err != nil {
		t.Fatal(err)
	}
	list, err := Read(data)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d libraries, %v", len(list), err)
	}
	if !slices.IsSortedFunc(list, func(a, b Library) int { return Compare(b.Name, a.Name) }) {
		t.Error("this machine's cache is in another order")
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		machine elf.Machine
		lib     Library
	}{
		"processor":      {elf.EM_386, Library{"a.so", "/a.so"}},
		"name beyond":    {elf.EM_X86_64, Library{"é.so", "/é.so"}},
		"large number":   {elf.EM_X86_64, Library{"lib12345678901.so", "/x"}},
		"NUL in path":    {elf.EM_X86_64, Library{"a.so", "/a\x00.so"}},
		"slash in name":  {elf.EM_X86_64, Library{"a/b.so", "/a/b.so"}},
		"name without":   {elf.EM_X86_64, Library{"", "/a"}},
		"path left away": {elf.EM_X86_64, Library{"a.so", ""}},
	} {
		if _, err := Write(c.machine, []Library{c.lib}); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good, err := Write(elf.EM_X86_64, libraries())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"nothing": "", "other": strings.Repeat("x", 100), "cut": string(good[:60]), "many": string(good[:20]) + "\xff\xff\xff\x0f" + string(good[24:]),
		"strings cut": string(good[:len(good)-1]), "offset": string(good[:headerSize+4]) + "\xff\xff\xff\xff" + string(good[headerSize+8:]),
	} {
		if list, err := Read([]byte(data)); !errors.Is(err, ErrCache) {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}

const debianDirs = "/lib/x86_64-linux-gnu/\x00/usr/lib/x86_64-linux-gnu/\x00/lib/\x00/usr/lib/\x00"

func glibc(cache, preload, dirs string) string {
	return "\x7fELF  use " + cache + "\n\x00" + cache + "\x00x\x00" + preload + "\x00\x01" + dirs + "\x00\x02" + dirs
}

func TestPatchLoader(t *testing.T) {
	good := glibc(cacheName, preloadName, debianDirs)
	p, err := PatchLoader(Glibc, elf.EM_X86_64, []byte(good), "/var/task")
	if err != nil {
		t.Fatal(err)
	}
	patched := []byte(good)
	for _, e := range p.Edits {
		copy(patched[e.At:], e.Bytes)
	}
	hidden := "/.../x86_64-linux-gnu/\x00/.../lib/x86_64-linux-gnu/\x00/.../\x00/.../lib/\x00"
	want := "\x7fELF  use " + cacheName + "\n\x00/var/task/.ldso\x00\x00x\x00/var/task/.ldpre\x00\x00\x00\x01" + hidden + "\x00\x02" + hidden
	if diff := cmp.Diff(want, string(patched)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(p.SystemDirs) != 4 {
		t.Errorf("system directories %v", p.SystemDirs)
	}
	musl := "\x00%.*s/etc/ld-musl-aarch64.path\x00"
	p, err = PatchLoader(Musl, elf.EM_AARCH64, []byte(musl), "/var/task")
	if err != nil || len(p.Edits) != 1 || !strings.HasPrefix(string(p.Edits[0].Bytes), "/var/task/.ldmusl.path\x00") || len(p.Edits[0].Bytes) != len(musl)-2 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestPatchLoaderRefusesWhatItDoesNotKnow(t *testing.T) {
	for name, c := range map[string]struct {
		kind   Kind
		loader string
		prefix string
	}{
		"no cache":         {Glibc, glibc("/nix/etc/ld.so.cache", preloadName, debianDirs), "/var/task"},
		"cache twice":      {Glibc, glibc(cacheName, preloadName, debianDirs) + "\x00" + cacheName + "\x00", "/var/task"},
		"no preload":       {Glibc, glibc(cacheName, "/etc/x", debianDirs), "/var/task"},
		"other dirs":       {Glibc, glibc(cacheName, preloadName, "/gnu/store/lib/\x00"), "/var/task"},
		"long prefix":      {Glibc, glibc(cacheName, preloadName, debianDirs), "/var/task/further"},
		"musl, other form": {Musl, "\x00/etc/ld-musl-%s.path\x00", "/var/task"},
		"musl, other arch": {Musl, "\x00%.*s/etc/ld-musl-aarch64.path\x00", "/var/task"},
		"musl, directive":  {Musl, "\x00%.*s/etc/ld-musl-x86_64.path\x00", "/%s"},
		"musl, long":       {Musl, "\x00%.*s/etc/ld-musl-x86_64.path\x00", "/var/task/further"},
		"empty":            {Glibc, "", "/var/task"},
	} {
		if p, err := PatchLoader(c.kind, elf.EM_X86_64, []byte(c.loader), c.prefix); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func FuzzCache(f *testing.F) {
	f.Add("libz.so.1", "/lib/libz.so.1", "liba.so.2", "/x/y")
	f.Fuzz(func(t *testing.T, name, path, name2, path2 string) {
		list := []Library{{name, path}, {name2, path2}}
		data, err := Write(elf.EM_AARCH64, list)
		if err != nil {
			return
		}
		got, err := Read(data)
		if len(path) >= maxName || len(path2) >= maxName {
			return
		}
		if err != nil || len(got) == 0 || len(got) > 2 || !slices.IsSortedFunc(got, func(a, b Library) int { return Compare(b.Name, a.Name) }) {
			t.Fatalf("%v became %v, %v", list, got, err)
		}
		for _, l := range got {
			if !slices.Contains(list, l) {
				t.Errorf("%v is none of %v", l, list)
			}
		}
	})
}

func FuzzReadCache(f *testing.F) {
	good, err := Write(elf.EM_X86_64, libraries())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = Read(data) })
}
