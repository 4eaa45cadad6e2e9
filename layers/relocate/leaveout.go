package relocate

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// KeepAllAnnotation is the annotation that keeps everything in the package, as
// the report of what is left out names it.
const KeepAllAnnotation = "com.openfaas.lambda/keep-all"

// leaveOutRules are what no function reads at run time. The list, with reasons,
// is part of docs/relocation.md. Directories are named without a leading slash
// and go with everything in them.
var leaveOutRules = []struct {
	name string
	dirs []string
	keep func(name string) bool // files that stay all the same; may be nil
}{
	{"manuals", []string{"usr/share/man", "usr/local/share/man", "usr/local/man", "usr/man", "usr/share/info", "usr/local/share/info"}, nil},
	{"documentation", []string{
		"usr/share/doc", "usr/local/share/doc", "usr/share/doc-base", "usr/share/gtk-doc", "usr/share/ri",
		"usr/share/lintian", "usr/share/linda", "usr/share/bug", "usr/share/reportbug",
	}, nil},
	{"databases and caches of package managers", []string{
		"var/lib/apt", "var/cache/apt", "var/lib/dpkg", "var/cache/debconf", "var/lib/ucf",
		"lib/apk", "usr/lib/apk", "var/cache/apk", "var/lib/apk",
		"var/lib/rpm", "usr/lib/sysimage/rpm", "var/lib/dnf", "var/lib/yum", "var/cache/dnf", "var/cache/libdnf5", "var/cache/yum",
		"root/.cache/pip", "root/.npm", "var/cache/man", "var/cache/ldconfig", "var/backups",
	}, nil},
	{"logs", []string{"var/log"}, nil},
	{"headers", []string{"usr/include", "usr/local/include"}, func(name string) bool { return name == "pyconfig.h" }},
	{"build files", []string{
		"usr/lib/pkgconfig", "usr/lib64/pkgconfig", "usr/share/pkgconfig", "usr/local/lib/pkgconfig", "usr/lib/cmake", "usr/share/cmake",
		"usr/share/aclocal", "usr/lib/x86_64-linux-gnu/pkgconfig", "usr/lib/aarch64-linux-gnu/pkgconfig",
		"usr/lib/x86_64-linux-gnu/cmake", "usr/lib/aarch64-linux-gnu/cmake",
	}, nil},
	{"compilers", []string{"usr/lib/gcc", "usr/libexec/gcc"}, library},
	{"debugging symbols", []string{"usr/lib/debug"}, nil},
	{"sources of locales", []string{"usr/share/i18n"}, nil},
	{"kernels", []string{"boot"}, nil},
}

// staticLibraries is the rule for files that end in .a below directories of
// libraries.
const staticLibraries = "static libraries"

// heapsOver32GB is the rule for the classes that a JVM maps at its start where
// pointers are not compressed, which is with heaps of 32 GB and more (java.1,
// -XX:+UseCompressedOops): Lambda has 10 GB at most. Without them such a JVM, or
// one with ZGC, starts slower.
const heapsOver32GB = "class archives of JVMs for heaps over 32 GB"

// ruleOf returns the rule that leaves a path out, "" when none does.
func ruleOf(p string) string {
	for _, r := range leaveOutRules {
		for _, dir := range r.dirs {
			if p == dir || strings.HasPrefix(p, dir+"/") {
				if r.keep != nil && r.keep(path.Base(p)) {
					return ""
				}
				return r.name
			}
		}
	}
	if strings.HasSuffix(p, ".a") && (strings.HasPrefix(p, "usr/lib") || strings.HasPrefix(p, "usr/local/lib/") || strings.HasPrefix(p, "lib")) &&
		!strings.Contains(p, "/node_modules/") && !strings.Contains(p, "-packages/") {
		return staticLibraries
	}
	if strings.HasSuffix(p, "/lib/server/classes_nocoops.jsa") {
		return heapsOver32GB
	}
	return ""
}

// leaveOut leaves out what no function reads, but nothing that the image itself
// names for its start.
func (m *mover) leaveOut() {
	named := m.named()
	counts := map[string]*Rule{}
	var emptied []layers.Entry
	for e := range m.tree.All() {
		rule := ruleOf(e.Path)
		if rule == "" || m.gone[e.Path] || named.covers(e.Path) || rule == staticLibraries && !isArchive(e) {
			continue
		}
		if e.Type == layers.Dir {
			emptied = append(emptied, e)
			continue
		}
		m.gone[e.Path] = true
		if counts[rule] == nil {
			counts[rule] = &Rule{Name: rule}
		}
		if e.Type == layers.File {
			counts[rule].Files++
			counts[rule].Bytes += e.Size
		}
	}
	m.leaveOutDirs(emptied)
	names := make([]string, 0, len(leaveOutRules)+2)
	for _, r := range leaveOutRules {
		names = append(names, r.name)
	}
	for _, name := range append(names, staticLibraries, heapsOver32GB) {
		r := counts[name]
		if r == nil || r.Files == 0 {
			continue
		}
		m.report.LeftOut = append(m.report.LeftOut, *r)
		m.leftOut = append(m.leftOut, layers.LeftOut{
			Path:   name,
			Reason: fmt.Sprintf("%d files, %d bytes, that no function reads; the annotation %s: \"true\" keeps them", r.Files, r.Bytes, KeepAllAnnotation),
		})
	}
}

// leaveOutDirs leaves out the directories of rules that hold nothing any more,
// deepest first.
func (m *mover) leaveOutDirs(dirs []layers.Entry) {
	needed := map[string]bool{}
	for e := range m.tree.All() {
		if e.Type != layers.Dir && !m.gone[e.Path] {
			needed[path.Dir(e.Path)] = true
		}
	}
	for p := range m.changed {
		needed[path.Dir(p)] = true
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if d := dirs[i].Path; needed[d] {
			needed[path.Dir(d)] = true
		} else {
			m.gone[d] = true
		}
	}
}

// isArchive reports whether a file is one of ar(1): other things are called .a
// too.
func isArchive(e layers.Entry) bool {
	if e.Type == layers.Symlink {
		return true
	}
	if e.Type != layers.File {
		return false
	}
	first, err := head(e)
	return err == nil && bytes.HasPrefix(first, []byte("!<ar"))
}

// paths are paths of the image that its configuration names.
type paths []string

// covers reports whether p is one of the paths, lies below one, or on the way to
// one.
func (l paths) covers(p string) bool {
	for _, named := range l {
		if p == named || strings.HasPrefix(p, named+"/") || strings.HasPrefix(named, p+"/") {
			return true
		}
	}
	return false
}

// named returns the paths that a rule would leave out although the image's
// configuration names them.
func (m *mover) named() paths {
	var list paths
	add := func(p string) {
		p = strings.TrimPrefix(path.Clean("/"+p), "/")
		if ruleOf(p) != "" {
			list = append(list, p)
		}
		if to, err := m.tree.Resolve(p); err == nil && ruleOf(to.Path) != "" {
			list = append(list, to.Path)
		}
	}
	add(m.workdir())
	words := append(append([]string{}, m.config.Entrypoint...), m.config.Cmd...)
	words = append(words, strings.Fields(m.opts.Process)...)
	for _, kv := range append(append([]string{}, m.config.Env...), m.opts.Env...) {
		_, value, _ := strings.Cut(kv, "=")
		words = append(words, strings.FieldsFunc(value, func(r rune) bool { return r == ':' || r == ' ' })...)
	}
	for _, w := range words {
		if strings.HasPrefix(w, "/") {
			add(w)
		} else if e, err := m.find(w); err == nil {
			add(e.Path)
		}
	}
	return list
}
