package relocate

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/relocate/ldso"
	"github.com/google/go-cmp/cmp"
)

const (
	glibcLoader = "/lib64/ld-linux-x86-64.so.2"
	muslLoader  = "/lib/ld-musl-x86_64.so.1"
)

// object is an ELF file with a dynamic section: a library when interp is empty.
func object(interp, soname, runpath string) string {
	const names, section, name = 0x200, 0x300, 0x400
	b := make([]byte, 0x500)
	copy(b, static(elf.EM_X86_64)[:headerSize])
	binary.LittleEndian.PutUint16(b[16:], uint16(elf.ET_DYN))
	segments := []struct {
		kind        elf.ProgType
		at, address uint64
		size        int
	}{{elf.PT_LOAD, 0, 0, len(b)}, {elf.PT_DYNAMIC, section, section, 5 * 16}}
	if interp != "" {
		segments = append(segments, segments[0])
		segments[2].kind, segments[2].at, segments[2].size = elf.PT_INTERP, name, len(interp)+1
	}
	binary.LittleEndian.PutUint16(b[56:], uint16(len(segments)))
	for i, s := range segments {
		h := b[headerSize+i*segmentSize:]
		binary.LittleEndian.PutUint32(h, uint32(s.kind))
		binary.LittleEndian.PutUint64(h[8:], s.at)
		binary.LittleEndian.PutUint64(h[16:], s.address)
		binary.LittleEndian.PutUint64(h[32:], uint64(s.size))
	}
	copy(b[names:], "\x00"+soname+"\x00"+runpath+"\x00")
	copy(b[name:], interp)
	tags := []uint64{uint64(elf.DT_STRTAB), names}
	if soname != "" {
		tags = append(tags, uint64(elf.DT_SONAME), 1)
	}
	if runpath != "" {
		tags = append(tags, uint64(elf.DT_RUNPATH), uint64(len(soname)+2))
	}
	for i, v := range tags {
		binary.LittleEndian.PutUint64(b[section+8*i:], v)
	}
	return string(b)
}

// loaders are the least that loaders hold.
func glibcProgram() string {
	return object("", "ld-linux-x86-64.so.2", "") + "\x00/etc/ld.so.cache\x00/etc/ld.so.preload\x00/lib64/\x00/usr/lib64/\x00"
}

func muslProgram() string {
	return object("", "libc.so", "") + "\x00%.*s/etc/ld-musl-x86_64.path\x00"
}

// debian is a small image that needs nearly everything.
func debian() map[string]string {
	return map[string]string{
		"fwatchdog": amd, "bin/fn": object(glibcLoader, "", "/opt/fn/lib:/usr/lib64"), "bin/other": object(glibcLoader, "", "$ORIGIN/../lib"),
		"lib64/ld-linux-x86-64.so.2": glibcProgram(), "usr/lib64/libc.so.6": object("", "libc.so.6", ""), "usr/lib64/libz.so": "->libz.so.1.3",
		"usr/lib64/libz.so.1.3": object("", "libz.so.1", ""), "usr/local/lib/libz.so.1": object("", "libz.so.1", ""),
		"opt/fn/lib/libprivate.so.4": object("", "libprivate.so.4", ""), "etc/ld.so.conf": "-\ninclude ld.so.conf.d/*.conf # comment\n",
		"etc/ld.so.conf.d/local.conf": "-\n/usr/local/lib\n", "usr/bin/tool": "#!/bin/other -x\n", "usr/bin/text": "-#!/bin/other\n",
		"usr/bin/foreign": "#!/usr/bin/none\n", "usr/lib/gcc/x86_64-linux-gnu/14/cc1": "x", "usr/share/doc/fn/copyright": "-free",
		"usr/lib64/libx.a": "!<arch>\n", "opt/java/lib/server/classes_nocoops.jsa": "-", "opt/java/lib/server/classes.jsa": "-", "usr/share/zoneinfo/UTC": "-", "root/.profile": "-",
	}
}

func fnConfig(env ...string) layers.Config {
	return layers.Config{Arch: "amd64", Cmd: []string{"/fwatchdog"}, Env: append([]string{"PATH=/bin", "fprocess=fn"}, env...)}
}

func content(t *testing.T, r *Result, p string) string {
	t.Helper()
	e, ok := r.Tree.Get(p)
	if !ok {
		t.Fatalf("no %s", p)
	}
	data, err := readStart(e, e.Size+1)
	if err != nil || int64(len(data)) != e.Size {
		t.Fatalf("%s: %d of %d bytes, %v", p, len(data), e.Size, err)
	}
	return string(data)
}

func TestDynamicProgramsAreMoved(t *testing.T) {
	r, err := Relocate(tree(t, debian()), fnConfig(), Options{Prefix: "/var/task"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"bin/fn", "bin/other"} {
		if data := content(t, r, p); !strings.HasSuffix(data, "/var/task"+glibcLoader+"\x00") {
			t.Errorf("%s ends in %q", p, data[len(data)-40:])
		}
	}
	if data := content(t, r, "lib64/ld-linux-x86-64.so.2"); !strings.HasSuffix(data, "\x00/var/task/.ldso\x00\x00/var/task/.ldpre\x00\x00\x00/...64/\x00/.../lib64/\x00") {
		t.Errorf("loader is %q", data[0x500:])
	}
	list, err := ldso.Read([]byte(content(t, r, ldso.CacheFile)))
	if err != nil {
		t.Fatal(err)
	}
	want := []ldso.Library{
		{Name: "libz.so.1.3", Path: "/var/task/usr/lib64/libz.so.1.3"}, {Name: "libz.so.1", Path: "/var/task/usr/local/lib/libz.so.1"}, {Name: "libz.so", Path: "/var/task/usr/lib64/libz.so"},
		{Name: "libprivate.so.4", Path: "/var/task/opt/fn/lib/libprivate.so.4"}, {Name: "libc.so.6", Path: "/var/task/usr/lib64/libc.so.6"},
		{Name: "ld-linux-x86-64.so.2", Path: "/var/task/lib64/ld-linux-x86-64.so.2"},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("cache (-want +got)\n%s", diff)
	}
	if got := content(t, r, "usr/bin/tool"); got != "#!/var/task/bin/other -x\n" {
		t.Errorf("script became %q", got)
	}
	for _, same := range []string{"usr/bin/text", "usr/bin/foreign"} {
		if got := content(t, r, same); got != debian()[same] {
			t.Errorf("%s became %q", same, got)
		}
	}
	report := Report{
		Loaders:  []Loader{{Path: "lib64/ld-linux-x86-64.so.2", Kind: "glibc", Programs: 2, Libraries: 6}},
		Programs: []string{"bin/fn", "bin/other"}, Runpaths: []string{"bin/fn"}, Scripts: []string{"usr/bin/tool"}, Static: []string{"fwatchdog"},
		Env:     []Variable{{"HOME", "/tmp", "the image's own cannot be written to"}, {"TZDIR", "/var/task/usr/share/zoneinfo", "time zones"}},
		LeftOut: []Rule{{"documentation", 1, 5}, {"compilers", 1, 1}, {"static libraries", 1, 8}, {"class archives of JVMs for heaps over 32 GB", 1, 1}},
	}
	if diff := cmp.Diff(report, r.Report); diff != "" {
		t.Errorf("report (-want +got)\n%s", diff)
	}
	if len(r.LeftOut) != 4 || !strings.Contains(r.LeftOut[0].Reason, KeepAllAnnotation) {
		t.Errorf("left out %v", r.LeftOut)
	}
	if got := content(t, r, ldso.PreloadFile); got != "" {
		t.Errorf("preloads %q", got)
	}
}

func TestMuslProgramsAreMoved(t *testing.T) {
	files := map[string]string{
		"fwatchdog": amd, "bin/fn": object(muslLoader, "", "/opt/lib"), "lib/ld-musl-x86_64.so.1": muslProgram(), "usr/lib/libx.so": object("", "libx.so", ""),
	}
	for name, c := range map[string]struct{ own, want string }{
		"without a path file": {"", "/var/task/lib\n/var/task/usr/local/lib\n/var/task/usr/lib\n/var/task/opt/lib\n"},
		"with one":            {"-/lib\n/x:/y\n", "/var/task/x\n/var/task/y\n/var/task/opt/lib\n"},
	} {
		t.Run(name, func(t *testing.T) {
			delete(files, "etc/ld-musl-x86_64.path")
			if c.own != "" {
				files["etc/ld-musl-x86_64.path"] = c.own
			}
			r, err := Relocate(tree(t, files), fnConfig(), Options{Prefix: "/var/task"})
			if err != nil {
				t.Fatal(err)
			}
			if got := content(t, r, ldso.PathFile); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if data := content(t, r, "lib/ld-musl-x86_64.so.1"); !strings.Contains(data, "\x00/var/task/.ldmusl.path\x00") || strings.Contains(data, "/etc/ld-musl") {
				t.Errorf("loader is %q", data[0x500:])
			}
		})
	}
}

func TestUnmovableIsRefusedForTheFunctionAndReportedForOthers(t *testing.T) {
	for name, c := range map[string]struct {
		loader string // content of glibc's; "" leaves it out
		interp string
	}{
		"missing loader": {"", glibcLoader},
		"unknown loader": {strings.Replace(glibcProgram(), "/etc/ld.so.cache", "/nix/ld.so.cache", 1), glibcLoader},
		"unknown kind":   {glibcProgram(), "/lib/ld.so.1"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"fwatchdog": amd, "bin/fn": object(c.interp, "", ""), "bin/static": amd}
			if c.loader != "" {
				files["lib64/ld-linux-x86-64.so.2"] = c.loader
			}
			_, err := Relocate(tree(t, files), fnConfig(), Options{Prefix: "/var/task"})
			if !errors.Is(err, ErrLoader) || !errors.Is(err, ErrUnmovable) || !errors.Is(err, ErrDynamic) || !strings.Contains(err.Error(), "cannot be moved") {
				t.Errorf("%v", err)
			}
			r, err := Relocate(tree(t, files), fnConfig(), Options{Prefix: "/var/task", Process: "static"})
			if err != nil || len(r.Report.Unmoved) != 1 || r.Report.Unmoved[0].Path != "bin/fn" {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	taken := debian()
	taken[ldso.CacheFile] = "-"
	if _, err := Relocate(tree(t, taken), fnConfig(), Options{Prefix: "/var/task"}); !errors.Is(err, ErrTaken) || !errors.Is(err, ErrUnmovable) {
		t.Errorf("%v", err)
	}
}

func TestLoaderVariablesDoNotReachTheHost(t *testing.T) {
	r, err := Relocate(tree(t, debian()), fnConfig("LD_PRELOAD=/usr/lib64/libz.so.1.3 libc.so.6", "LD_LIBRARY_PATH=/usr/lib64:/opt/fn/lib"), Options{Prefix: "/var/task"})
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := lookup(r.Start.Env, "LD_PRELOAD"); ok {
		t.Errorf("LD_PRELOAD=%s", v)
	}
	if v, _ := lookup(r.Start.Env, "LD_LIBRARY_PATH"); v != "/var/task/opt/fn/lib" {
		t.Errorf("LD_LIBRARY_PATH=%s", v)
	}
	if got := content(t, r, ldso.PreloadFile); got != "/var/task/usr/lib64/libz.so.1.3\nlibc.so.6\n" {
		t.Errorf("preloads %q", got)
	}
	list, err := ldso.Read([]byte(content(t, r, ldso.CacheFile)))
	if err != nil || !slices.Contains(list, ldso.Library{Name: "libz.so.1", Path: "/var/task/usr/lib64/libz.so.1.3"}) {
		t.Errorf("%v, %v", list, err)
	}
}

func TestVariablesMakeUpForCompiledInPaths(t *testing.T) {
	files := debian()
	for _, p := range []string{
		"etc/ssl/certs/ca-certificates.crt", "home/app/.local/lib/python3.13/site-packages/x.py", "usr/lib/ruby/3.3.0/json.rb", "usr/lib/x86_64-linux-gnu/ruby/3.3.0/x",
		"usr/lib/x86_64-linux-gnu/perl-base/strict.pm", "usr/share/perl/5.40/x.pm", "etc/php/8.4/cli/php.ini", "etc/php/8.4/cli/conf.d/20-x.ini", "usr/lib/php/20240924/x.so",
		"usr/lib/x86_64-linux-gnu/gconv/X.so", "usr/lib/locale/C.utf8/LC_MESSAGES/x", "usr/share/terminfo/x", "etc/fonts/fonts.conf", "usr/lib/git-core/git",
	} {
		files[p] = "-"
	}
	files["etc/passwd"] = "-root:x:0:0::/root:/bin/sh\napp:x:100:101::/home/app:/bin/sh\n"
	config := fnConfig("HOME=/home/app", "TERMINFO_DIRS=/mine")
	config.User = "app:app"
	r, err := Relocate(tree(t, files), config, Options{Prefix: "/var/task"})
	if err != nil {
		t.Fatal(err)
	}
	got := r.Start.Env[3:]
	want := []string{
		"TERMINFO_DIRS=/mine", "SSL_CERT_FILE=/var/task/etc/ssl/certs/ca-certificates.crt", "SSL_CERT_DIR=/var/task/etc/ssl/certs", "TZDIR=/var/task/usr/share/zoneinfo",
		"GCONV_PATH=/var/task/usr/lib/x86_64-linux-gnu/gconv", "LOCPATH=/var/task/usr/lib/locale", "FONTCONFIG_SYSROOT=/var/task", "GIT_EXEC_PATH=/var/task/usr/lib/git-core",
		"PYTHONUSERBASE=/var/task/home/app/.local", "PERL5LIB=/var/task/usr/lib/x86_64-linux-gnu/perl-base:/var/task/usr/share/perl/5.40",
		"RUBYLIB=/var/task/usr/lib/ruby/3.3.0:/var/task/usr/lib/x86_64-linux-gnu/ruby/3.3.0",
		"PHPRC=/var/task/etc/php/8.4/cli", "PHP_INI_SCAN_DIR=/var/task/.moved/php:/var/task/etc/php/8.4/cli/conf.d",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if ini := content(t, r, ".moved/php/moved.ini"); !strings.Contains(ini, "extension_dir=\"/var/task/usr/lib/php/20240924\"\n") {
		t.Errorf("ini %q", ini)
	}
	if home, _ := lookup(r.Start.Env, "HOME"); home != "/tmp" {
		t.Errorf("HOME=%s", home)
	}
}

func TestConfigurationIsMoved(t *testing.T) {
	files := debian()
	files["venv/pyvenv.cfg"] = "-home = /bin\nversion = 3.13\n"
	files["venv/lib/site-packages/x.pth"] = "-\n/opt/fn/lib\nimport x\n/none\n"
	files["usr/local/etc/php/conf.d/x.ini"] = "-\r\n; a = /bin\r\nzend_extension=\"/opt/fn/lib/libprivate.so.4\"\r\nother=1\r\n"
	files["etc/other.ini"] = "-a=/bin\n"
	r, err := Relocate(tree(t, files), fnConfig(), Options{Prefix: "/var/task"})
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]string{
		"venv/pyvenv.cfg":                "-home = /var/task/bin\nversion = 3.13\n",
		"venv/lib/site-packages/x.pth":   "-\n/var/task/opt/fn/lib\nimport x\n/none\n",
		"usr/local/etc/php/conf.d/x.ini": "-\r\n; a = /bin\r\nzend_extension=\"/var/task/opt/fn/lib/libprivate.so.4\"\r\nother=1\r\n",
		"etc/other.ini":                  "-a=/bin\n",
	} {
		if got := content(t, r, p); got != want {
			t.Errorf("%s is %q, want %q", p, got, want)
		}
	}
}

func TestKeepAllKeepsAll(t *testing.T) {
	r, err := Relocate(tree(t, debian()), fnConfig(), Options{Prefix: "/var/task", KeepAll: true})
	if err != nil || len(r.LeftOut) != 0 {
		t.Fatalf("%v, %v", r.LeftOut, err)
	}
	content(t, r, "usr/share/doc/fn/copyright")
}

// TestWhatTheImageNamesStays starts a function that lies where nobody would look.
func TestWhatTheImageNamesStays(t *testing.T) {
	files := debian()
	files["usr/share/doc/fn/run"], files["var/log/app/x"], files["usr/include/a.h"] = amd, "-", "-"
	config := fnConfig("INCLUDE=/usr/include/a.h")
	config.Dir = "/var/log/app"
	r, err := Relocate(tree(t, files), config, Options{Prefix: "/var/task", Process: "/usr/share/doc/fn/run x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"usr/share/doc/fn/run", "var/log/app/x", "usr/include/a.h"} {
		content(t, r, p)
	}
	if _, kept := r.Tree.Get("usr/share/doc/fn/copyright"); kept {
		t.Error("the documentation is still there")
	}
}

func TestWhatOnlyRootCouldReadIsReadable(t *testing.T) {
	list := []layers.Entry{
		{Path: "d", Type: layers.Dir}, {Path: "d/none", Type: layers.File, Size: 1, Content: text("x")},
		{Path: "d/group", Type: layers.File, Mode: 0o010, Size: 1, Content: text("x")}, {Path: "fn", Type: layers.File, Mode: 0o755, Size: int64(len(amd)), Content: text(amd)},
	}
	in, err := layers.NewTree(list)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Relocate(in, layers.Config{Arch: "amd64", Cmd: []string{"/fn"}}, Options{Prefix: "/var/task"})
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]fs.FileMode{"d": 0o500, "d/none": 0o400, "d/group": 0o510} {
		if e, _ := r.Tree.Get(p); e.Mode != want {
			t.Errorf("%s has %v, want %v", p, e.Mode, want)
		}
	}
}

// known is content with a key and a known head that counts how often it is read.
type known struct {
	text
	opened *sync.Map
}

func (k known) Key() string {
	sum := sha256.Sum256([]byte(k.text))
	return hex.EncodeToString(sum[:])
}

func (k known) Head() []byte { return []byte(k.text[:min(len(k.text), layers.HeadSize)]) }

func (k known) Open() (io.ReadCloser, error) {
	k.opened.Store(k.Key(), true)
	return k.text.Open()
}

// memoryFacts are facts in memory.
type memoryFacts struct{ sync.Map }

func (f *memoryFacts) Fact(key string) ([]byte, bool) {
	v, ok := f.Load(key)
	if !ok {
		return nil, false
	}
	return v.([]byte), true
}

func (f *memoryFacts) Remember(key string, fact []byte) { f.Store(key, fact) }

// knownTree is the tree of files with contents that have keys and heads, and how
// many were opened.
func knownTree(t testing.TB, files map[string]string) (*layers.Tree, *sync.Map) {
	t.Helper()
	opened := &sync.Map{}
	var list []layers.Entry
	for e := range tree(t, files).All() {
		if c, ok := e.Content.(text); ok {
			e.Content = known{c, opened}
		}
		list = append(list, e)
	}
	out, err := layers.NewTree(list)
	if err != nil {
		t.Fatal(err)
	}
	return out, opened
}

func TestFactsSaveEveryRead(t *testing.T) {
	var facts memoryFacts
	var results []*Result
	for i := range 2 {
		in, opened := knownTree(t, debian())
		r, err := Relocate(in, fnConfig(), Options{Prefix: "/var/task", Facts: &facts})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		opened.Range(func(any, any) bool { n++; return true })
		if i == 1 && n != 0 {
			t.Errorf("%d files were opened again", n)
		}
		results = append(results, r)
	}
	if diff := cmp.Diff(results[0].Report, results[1].Report); diff != "" {
		t.Errorf("report (-first +second)\n%s", diff)
	}
	for e := range results[0].Tree.All() {
		again, _ := results[1].Tree.Get(e.Path)
		k, ok := e.Content.(layers.KeyedContent)
		k2, ok2 := again.Content.(layers.KeyedContent)
		if e.Type == layers.File && (!ok || !ok2 || k.Key() == "" || k.Key() != k2.Key()) {
			t.Errorf("%s has no key, or another", e.Path)
		}
	}
}

// BenchmarkRelocate moves a tree of 12,000 files, 2,000 of them ELF files, whose
// facts are known: as many as an image of 300 MB has.
func BenchmarkRelocate(b *testing.B) {
	files := debian()
	for i := range 1000 {
		files[fmt.Sprintf("usr/bin/program%d", i)] = object(glibcLoader, "", "")
		files[fmt.Sprintf("usr/lib64/lib%d.so.1", i)] = object("", fmt.Sprintf("lib%d.so.1", i), "")
	}
	for i := range 10000 {
		files[fmt.Sprintf("usr/lib/python3/dist-packages/p%d/m%d.py", i%100, i)] = fmt.Sprint("-", i)
	}
	var facts memoryFacts
	in, opened := knownTree(b, files)
	for b.Loop() {
		opened.Clear()
		if _, err := Relocate(in, fnConfig(), Options{Prefix: "/var/task", Facts: &facts}); err != nil {
			b.Fatal(err)
		}
	}
	opened.Range(func(any, any) bool { b.Error("a file was opened"); return false })
}
