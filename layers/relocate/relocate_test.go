package relocate

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/google/go-cmp/cmp"
)

type text string

func (c text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(c))), nil }

// Sizes in a 64-bit ELF file.
const (
	headerSize    = 64
	segmentSize   = 56
	classOffset   = 4
	machineOffset = 18
)

// static and dynamic are the least that is an ELF program.
func static(m elf.Machine) string { return program(m, "") }

func program(m elf.Machine, interp string) string {
	b := make([]byte, headerSize)
	copy(b, elf.ELFMAG)
	b[classOffset], b[elf.EI_DATA], b[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	binary.LittleEndian.PutUint16(b[machineOffset:], uint16(m))
	binary.LittleEndian.PutUint64(b[32:], headerSize)
	binary.LittleEndian.PutUint16(b[54:], segmentSize)
	binary.LittleEndian.PutUint16(b[56:], 2)
	load, inter := make([]byte, segmentSize), make([]byte, segmentSize)
	binary.LittleEndian.PutUint32(load, uint32(elf.PT_LOAD))
	if interp != "" {
		binary.LittleEndian.PutUint32(inter, uint32(elf.PT_INTERP))
		binary.LittleEndian.PutUint64(inter[8:], headerSize+2*segmentSize)
		binary.LittleEndian.PutUint64(inter[32:], uint64(len(interp)+1))
	}
	return string(b) + string(load) + string(inter) + interp + "\x00"
}

var (
	amd = static(elf.EM_X86_64)
	dyn = program(elf.EM_X86_64, "/lib64/ld-linux-x86-64.so.2")
)

// tree makes a tree of "path" → content; a path that ends in a slash is a
// directory, content that begins with "->" a link, and only content that begins
// with "-" is not executable. Directories on the way are made.
func tree(t testing.TB, files map[string]string) *layers.Tree {
	t.Helper()
	entries := map[string]layers.Entry{}
	for p, c := range files {
		for i, r := range p {
			if r == '/' {
				entries[p[:i]] = layers.Entry{Path: p[:i], Type: layers.Dir, Mode: 0o755}
			}
		}
		switch to, isLink := strings.CutPrefix(c, "->"); {
		case strings.HasSuffix(p, "/"):
		case isLink:
			entries[p] = layers.Entry{Path: p, Type: layers.Symlink, Link: to}
		default:
			mode := fs.FileMode(0o755)
			if strings.HasPrefix(c, "-") {
				mode = 0o644
			}
			entries[p] = layers.Entry{Path: p, Type: layers.File, Mode: mode, Size: int64(len(c)), Content: text(c)}
		}
	}
	var list []layers.Entry
	for _, e := range entries {
		list = append(list, e)
	}
	out, err := layers.NewTree(list)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func template() layers.Config {
	return layers.Config{
		Arch: "amd64", Cmd: []string{"./fwatchdog"}, Dir: "/home/app",
		Env: []string{"PATH=/usr/local/bin:/bin", "mode=http", "fprocess=./handler", "upstream_url=http://127.0.0.1:8082"},
	}
}

func TestStart(t *testing.T) {
	const system = ":/usr/local/bin:/usr/bin:/bin"
	for name, c := range map[string]struct {
		files  map[string]string
		config layers.Config
		opts   Options
		want   layers.Start
	}{
		"golang-middleware": {
			map[string]string{"home/app/fwatchdog": amd, "home/app/handler": amd},
			template(), Options{},
			layers.Start{Watchdog: layers.OfWatchdog, Command: []string{"./fwatchdog"}, Dir: "/var/task/home/app", Env: []string{
				"PATH=/var/task/usr/local/bin:/var/task/bin" + system, "mode=http", "fprocess=./handler", "upstream_url=http://127.0.0.1:8082"}},
		},
		"classic, found by PATH and through a link": {
			map[string]string{"usr/bin/fwatchdog": "->/opt/watchdog-0.3", "opt/watchdog-0.3": amd, "bin/cat": amd},
			layers.Config{Arch: "amd64", Cmd: []string{"fwatchdog"}, Env: []string{"fprocess=cat"}}, Options{},
			layers.Start{Watchdog: layers.ClassicWatchdog, Command: []string{"fwatchdog"}, Dir: "/var/task", Env: []string{
				"PATH=/var/task/usr/local/sbin:/var/task/usr/local/bin:/var/task/usr/sbin:/var/task/usr/bin:/var/task/sbin:/var/task/bin" + system, "fprocess=cat"}},
		},
		"behind an entry script": {
			map[string]string{"usr/local/bin/docker-entrypoint.sh": "#!/bin/sh\n", "usr/bin/fwatchdog": amd, "bin/fn": amd},
			layers.Config{Arch: "amd64", Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"fwatchdog"}, Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin", "mode=streaming", "fprocess=fn -x"}}, Options{},
			layers.Start{Watchdog: layers.OfWatchdog, Command: []string{"docker-entrypoint.sh", "fwatchdog"}, Dir: "/var/task", Env: []string{
				"PATH=/var/task/usr/local/bin:/var/task/usr/bin:/var/task/bin" + system, "mode=streaming", "fprocess=fn -x"}},
		},
		"no watchdog": {
			map[string]string{"home/app/handler": amd, "etc/c.json": "-"},
			layers.Config{Arch: "amd64", Cmd: []string{"/home/app/handler", "--config", "/etc/c.json", "/", "/not/there"}, Dir: "home/app/", Env: []string{"PATH=/bin"}}, Options{},
			layers.Start{Watchdog: layers.NoWatchdog, Command: []string{"/var/task/home/app/handler", "--config", "/var/task/etc/c.json", "/", "/not/there"}, Dir: "/var/task/home/app", Env: []string{"PATH=/var/task/bin" + system}},
		},
		"values": {
			map[string]string{"w": amd, "lib/a.jar": "-", "lib/b.jar": "-", "tmp/": "", "etc/ssl/": "", "fwatchdog": amd},
			layers.Config{Arch: "amd64", Cmd: []string{"/fwatchdog"}, Dir: "/new/dir", Env: []string{
				"CLASSPATH=/lib/a.jar:/none.jar:.:/lib/b.jar", "URL=http://x/lib:/lib", "TMPDIR=/tmp", "ROOT=/", "SSL=/etc/ssl/", "EMPTY=", "=x", "odd",
				"fprocess=/w  -cp /lib/a.jar:/lib/b.jar /tmp/x", "PATH=/bin", "PATH=/tmp/bin:rel:/lib", "A=1", "A=2"}}, Options{},
			layers.Start{Watchdog: layers.ClassicWatchdog, Command: []string{"/var/task/fwatchdog"}, Dir: "/var/task/new/dir", Env: []string{
				"CLASSPATH=/var/task/lib/a.jar:/none.jar:.:/var/task/lib/b.jar", "URL=http://x/lib:/lib", "TMPDIR=/tmp", "ROOT=/", "SSL=/var/task/etc/ssl/", "EMPTY=",
				"fprocess=/var/task/w  -cp /var/task/lib/a.jar:/var/task/lib/b.jar /tmp/x", "PATH=/tmp/bin:rel:/var/task/lib" + system, "A=2"}},
		},
		"the deployment's process counts": {
			map[string]string{"fwatchdog": amd, "other": amd},
			layers.Config{Arch: "amd64", Entrypoint: []string{"/fwatchdog"}, Dir: "/tmp", Env: []string{"PATH=/", "fprocess=missing"}}, Options{Process: "other x"},
			layers.Start{Watchdog: layers.ClassicWatchdog, Command: []string{"/var/task/fwatchdog"}, Dir: "/tmp", Env: []string{"PATH=/var/task" + system, "fprocess=missing"}},
		},
		"the deployment's variables count, and stay out": {
			map[string]string{"fwatchdog": amd, "other": amd},
			layers.Config{Arch: "amd64", Entrypoint: []string{"/fwatchdog"}, Env: []string{"PATH=/", "fprocess=missing"}}, Options{Env: []string{"mode=http", "fprocess=/other"}},
			layers.Start{Watchdog: layers.OfWatchdog, Command: []string{"/var/task/fwatchdog"}, Dir: "/var/task", Env: []string{"PATH=/var/task" + system, "fprocess=missing"}},
		},
		"function_process before fprocess": {
			map[string]string{"fwatchdog": amd, "other": amd},
			layers.Config{Arch: "amd64", Entrypoint: []string{"/fwatchdog"}, Env: []string{"PATH=/", "mode=http", "fprocess=missing", "function_process=/other"}}, Options{},
			layers.Start{Watchdog: layers.OfWatchdog, Command: []string{"/var/task/fwatchdog"}, Dir: "/var/task", Env: []string{"PATH=/var/task" + system, "mode=http", "fprocess=missing", "function_process=/var/task/other"}},
		},
		"static mode needs no process": {
			map[string]string{"fwatchdog": amd},
			layers.Config{Arch: "amd64", Cmd: []string{"/fwatchdog"}, Env: []string{"PATH=/", "mode=static"}}, Options{},
			layers.Start{Watchdog: layers.OfWatchdog, Command: []string{"/var/task/fwatchdog"}, Dir: "/var/task", Env: []string{"PATH=/var/task" + system, "mode=static"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.Prefix = "/var/task"
			r, err := Relocate(tree(t, c.files), c.config, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			c.want.Env = append(c.want.Env, "HOME=/tmp")
			if diff := cmp.Diff(c.want, r.Start); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			dir := strings.TrimPrefix(strings.TrimPrefix(r.Start.Dir, "/var/task"), "/")
			if e, err := r.Tree.Resolve(dir); r.Start.Dir != "/tmp" && (err != nil || e.Type != layers.Dir) {
				t.Errorf("working directory %s: %v, %v", r.Start.Dir, e, err)
			}
		})
	}
}

func TestRelocateRefuses(t *testing.T) {
	fn := func(process string, more ...string) layers.Config {
		return layers.Config{Arch: "amd64", Cmd: []string{"/fwatchdog"}, Dir: "/w", Env: append([]string{"PATH=/bin:/usr/bin", "fprocess=" + process}, more...)}
	}
	for name, c := range map[string]struct {
		files  map[string]string
		config layers.Config
		opts   Options
		want   error
		says   []string
	}{
		"nothing to start":        {nil, layers.Config{Arch: "amd64"}, Options{}, ErrNoCommand, nil},
		"no process":              {nil, fn(""), Options{}, ErrNoProcess, []string{"classic-watchdog", "envProcess"}},
		"no process, of-watchdog": {nil, fn("", "mode=http"), Options{}, ErrNoProcess, []string{"of-watchdog"}},
		"missing":                 {nil, fn("node index.js"), Options{}, ErrNoProgram, []string{`"node"`, "PATH=/bin:/usr/bin"}},
		"missing by path":         {nil, fn("./handler"), Options{}, ErrNoProgram, []string{"./handler", "directory /w"}},
		"missing command":         {nil, layers.Config{Arch: "amd64", Cmd: []string{"run"}}, Options{}, ErrNoProgram, []string{imagePath}},
		"a directory":             {map[string]string{"bin/fn/": ""}, fn("fn"), Options{}, ErrNoProgram, nil},
		"not executable":          {map[string]string{"bin/fn": "-x"}, fn("fn"), Options{}, ErrNoProgram, []string{"/bin/fn is not executable"}},
		"space in front":          {map[string]string{"bin/fn": amd}, fn(" fn"), Options{}, ErrNoProgram, nil},
		"override missing":        {map[string]string{"bin/fn": amd}, fn("fn"), Options{Process: "other"}, ErrNoProgram, []string{"other"}},
		"dynamic":                 {map[string]string{"bin/node": dyn}, fn("node x"), Options{}, ErrDynamic, []string{"/bin/node", "/lib64/ld-linux-x86-64.so.2", "does not hold", "cannot be moved"}},
		"dynamic through links":   {map[string]string{"bin": "->usr/bin", "usr/bin/cat": "->busybox", "usr/bin/busybox": dyn}, fn("cat"), Options{}, ErrDynamic, []string{"/usr/bin/busybox"}},
		"dynamic command":         {map[string]string{"bin/fn": dyn}, layers.Config{Arch: "amd64", Cmd: []string{"/bin/fn"}}, Options{}, ErrDynamic, nil},
		"dynamic override":        {map[string]string{"bin/fn": amd, "bin/sh": dyn}, fn("fn"), Options{Process: "sh -c x"}, ErrDynamic, nil},
		"script":                  {map[string]string{"bin/fn": "#! /bin/sh -e\n", "bin/sh": dyn}, fn("fn"), Options{}, ErrDynamic, []string{"interpreter of /bin/fn", "/bin/sh"}},
		"script of env":           {map[string]string{"bin/fn": "#!/usr/bin/env node\n", "usr/bin/env": amd, "bin/node": dyn}, fn("fn"), Options{}, ErrDynamic, []string{"/bin/node"}},
		"script without program":  {map[string]string{"bin/fn": "#!/bin/sh\n"}, fn("fn"), Options{}, ErrNoProgram, []string{"interpreter of /bin/fn", "/bin/sh"}},
		"script of nothing":       {map[string]string{"bin/fn": "#!\n"}, fn("fn"), Options{}, ErrFormat, nil},
		"script of itself":        {map[string]string{"bin/fn": "#!/bin/fn\n"}, fn("fn"), Options{}, ErrFormat, []string{"too many scripts"}},
		"endless first line":      {map[string]string{"bin/fn": "#!/bin/sh " + strings.Repeat("x", 300)}, fn("fn"), Options{}, ErrFormat, nil},
		"no program":              {map[string]string{"bin/fn": "echo hello"}, fn("fn"), Options{}, ErrFormat, nil},
		"empty":                   {map[string]string{"bin/fn": ""}, fn("fn"), Options{}, ErrFormat, nil},
		"cut program":             {map[string]string{"bin/fn": amd[:30]}, fn("fn"), Options{}, ErrFormat, []string{"damaged"}},
		"cut segments":            {map[string]string{"bin/fn": amd[:70]}, fn("fn"), Options{}, ErrFormat, []string{"damaged"}},
		"for arm64":               {map[string]string{"bin/fn": static(elf.EM_AARCH64)}, fn("fn"), Options{}, ErrMachine, []string{"EM_AARCH64", "amd64"}},
		"working directory":       {map[string]string{"w": amd, "bin/fn": amd}, fn("fn"), Options{}, ErrDir, nil},
		"working directory gone":  {map[string]string{"w": "->x", "bin/fn": amd}, fn("fn"), Options{}, ErrDir, nil},
		"working directory loops": {map[string]string{"w": "->w", "bin/fn": amd}, fn("fn"), Options{}, ErrDir, nil},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"fwatchdog": amd}
			for p, f := range c.files {
				files[p] = f
			}
			c.opts.Prefix = "/var/task"
			_, err := Relocate(tree(t, files), c.config, c.opts)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

func TestLinksStayInside(t *testing.T) {
	files := map[string]string{"fwatchdog": amd, "bin/fn": amd, "usr/lib/so": "-", "a/b/": ""}
	links := map[string]struct{ to, want string }{
		"abs":         {"/usr/lib/so", "usr/lib/so"},
		"a/b/abs":     {"/usr/lib/so", "../../usr/lib/so"},
		"a/b/same":    {"/a/b/rel", "../../a/b/rel"},
		"a/b/rel":     {"../../usr/lib/so", "../../usr/lib/so"},
		"a/b/out":     {"../../../../usr/lib/so", "../../usr/lib/so"},
		"a/b/gone":    {"../../../../etc/x", "../../etc/x"},
		"a/root":      {"/", "./../"},
		"toproot":     {"/", "./"},
		"a/null":      {"/dev/null", "/dev/null"},
		"a/stdout":    {"../dev/stdout", "/dev/stdout"},
		"a/mtab":      {"../proc/self/mounts", "/proc/self/mounts"},
		"vartmp":      {"/tmp", "/tmp"},
		"tmp/within":  {"other", "other"},
		"a/dangling":  {"/none/at/all", "../none/at/all"},
		"a/chain":     {"/a/b/abs", "../a/b/abs"},
		"a/unclean":   {"/usr//lib/../lib/so", "../usr/lib/so"},
		"a/loop":      {"loop", "loop"},
		"a/viachain":  {"b/../../usr/lib/so", "b/../../usr/lib/so"},
		"a/dirlink":   {"/usr/lib", "../usr/lib"},
		"a/outviadir": {"dirlink/../../../usr/lib/so", "../usr/lib/so"},
	}
	for p, l := range links {
		files[p] = "->" + l.to
	}
	r, err := Relocate(tree(t, files), layers.Config{Arch: "amd64", Cmd: []string{"/bin/fn"}}, Options{Prefix: "/var/task"})
	if err != nil {
		t.Fatal(err)
	}
	for p, l := range links {
		e, _ := r.Tree.Get(p)
		if e.Link != l.want {
			t.Errorf("%s -> %s became %s, want %s", p, l.to, e.Link, l.want)
		}
		if !onHost(e.Link) && r.Tree.Leaves(e) {
			t.Errorf("%s -> %s leads out of the package", p, e.Link)
		}
	}
}

func TestTheDeploymentsProcessIsMoved(t *testing.T) {
	r, err := Relocate(tree(t, map[string]string{"fwatchdog": amd, "bin/fn": amd}),
		layers.Config{Arch: "amd64", Cmd: []string{"/fwatchdog"}}, Options{Prefix: "/var/task", Process: "/bin/fn  /bin x"})
	if err != nil || r.Process != "/var/task/bin/fn  /var/task/bin x" {
		t.Errorf("%q, %v", r.Process, err)
	}
}

func TestEntryScriptNamesItsInterpreterInThePackage(t *testing.T) {
	const script = "#! /bin/sh -e\necho hello\n"
	r, err := Relocate(tree(t, map[string]string{"fn.sh": script, "bin/sh": "->busybox", "bin/busybox": amd}),
		layers.Config{Arch: "amd64", Cmd: []string{"/fn.sh"}}, Options{Prefix: "/var/task"})
	if err != nil {
		t.Fatal(err)
	}
	e, _ := r.Tree.Get("fn.sh")
	data, err := readStart(e, 1000)
	if want := "#! /var/task/bin/sh -e\necho hello\n"; err != nil || string(data) != want || e.Size != int64(len(want)) {
		t.Errorf("%q, size %d, %v", data, e.Size, err)
	}
}

func TestSetuidIsReported(t *testing.T) {
	list := []layers.Entry{
		{Path: "su", Type: layers.File, Mode: 0o755 | fs.ModeSetuid, Size: 1, Content: text("x")},
		{Path: "fn", Type: layers.File, Mode: 0o755, Size: int64(len(amd)), Content: text(amd)},
	}
	in, err := layers.NewTree(list)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Relocate(in, layers.Config{Arch: "amd64", Cmd: []string{"/fn"}}, Options{Prefix: "/var/task"})
	if err != nil || len(r.LeftOut) != 1 || r.LeftOut[0].Path != "su" {
		t.Errorf("%v, %v", r.LeftOut, err)
	}
}

func FuzzScript(f *testing.F) {
	f.Add([]byte("#!/bin/sh -e\necho"))
	f.Add([]byte("#!/usr/bin/env node"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := tree(t, map[string]string{"bin/sh": amd, "usr/bin/env": amd, "fn": "x" + string(data)})
		e, _ := in.Get("fn")
		e.Content, e.Size = text(data), int64(len(data))
		m := newMover(in, layers.Config{Arch: "amd64"}, Options{Prefix: "/var/task"})
		if m.checkFile(e, maxScripts) != nil || !isScript(data) {
			return
		}
		first, err := head(e)
		if err != nil {
			t.Fatal(err)
		}
		m.moveScript(e, first)
		if c, ok := m.changed["fn"]; ok {
			if moved, err := readStart(c, c.Size+1); err != nil || int64(len(moved)) != c.Size {
				t.Errorf("%q became %q, size %d, %v", data, moved, c.Size, err)
			}
		}
	})
}
