package relocate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/relocate/ldso"
)

// maxIncludes bounds the files that /etc/ld.so.conf includes.
const maxIncludes = 256

// moveLoaders changes the loaders that programs of the package need, and writes
// the files in which they look for libraries.
func (m *mover) moveLoaders() error {
	names := slices.Sorted(maps.Keys(m.loaders))
	done := map[string]bool{}
	for _, kind := range []ldso.Kind{ldso.Glibc, ldso.Musl} {
		var used []*loader
		for _, name := range names {
			l := m.loaders[name]
			if l.kind != kind || l.err != nil || l.programs == 0 {
				continue
			}
			used = append(used, l)
			if !done[l.file.Path] {
				done[l.file.Path] = true
				c := m.change(l.file.Path)
				c.edits = append(c.edits, l.patch.Edits...)
			}
		}
		if len(used) == 0 {
			continue
		}
		var libraries int
		var err error
		if kind == ldso.Glibc {
			libraries, err = m.writeCache(used)
		} else {
			libraries, err = m.writeMuslPath(used)
		}
		if err != nil {
			return err
		}
		for _, l := range used {
			m.report.Loaders = append(m.report.Loaders, Loader{Path: l.file.Path, Kind: string(kind), Programs: l.programs, Libraries: libraries})
		}
	}
	return nil
}

// writeCache writes the cache in which glibc's loader finds every library, and
// the list of those that it loads first.
func (m *mover) writeCache(used []*loader) (int, error) {
	dirs := append([]string{}, m.libraryPath...)
	conf, err := m.confDirs("/etc/ld.so.conf", map[string]bool{})
	if err != nil {
		return 0, err
	}
	dirs = append(dirs, conf...)
	for _, l := range used {
		dirs = append(dirs, l.patch.System...)
	}
	cached, err := m.cachedDirs()
	if err != nil {
		return 0, err
	}
	dirs = append(dirs, cached...)
	lasts := slices.Clone(m.runpaths)
	for _, l := range used {
		lasts = append(lasts, l.runpaths...)
	}
	list := m.libraries(dirs, lasts)
	data, err := ldso.Write(machine(m.config.Arch), list)
	if err != nil {
		return 0, err
	}
	preload, err := m.preload()
	if err != nil {
		return 0, err
	}
	if err := m.add(ldso.PreloadFile, preload); err != nil {
		return 0, err
	}
	return len(list), m.add(ldso.CacheFile, data)
}

// libraries returns the libraries of directories, and of lasts what is not in
// them, by every name that a program may ask for: that of the file, because the
// loader would look for it in the system's directories, and that which the
// library has itself.
func (m *mover) libraries(dirs, lasts []string) []ldso.Library {
	var list []ldso.Library
	first := map[string]string{} // by name: the file that counts
	seen := map[string]bool{}
	for i, dir := range append(slices.Clone(dirs), lasts...) {
		real, err := m.tree.Resolve(dir)
		if err != nil || real.Type != layers.Dir || seen[real.Path] || real.Path == "." {
			continue
		}
		seen[real.Path] = true
		var sonames []ldso.Library
		add := func(name, p, file string) {
			if other, ok := first[name]; ok {
				if i >= len(dirs) && other != file && other != "" {
					m.unmoved(p, "a library of the same name is found before it, though programs may name its directory first")
				}
				return
			}
			first[name] = file
			list = append(list, ldso.Library{Name: name, Path: path.Join(m.opts.Prefix, p)})
		}
		for e := range m.children(real.Path) {
			if !library(e.Path) || !ldso.Cacheable(path.Base(e.Path)) {
				continue
			}
			file, soname, ok := m.sharedObject(e)
			if !ok {
				continue
			}
			add(path.Base(e.Path), e.Path, file)
			if e.Type == layers.File && soname != "" && ldso.Cacheable(soname) {
				sonames = append(sonames, ldso.Library{Name: soname, Path: e.Path})
			}
		}
		for _, s := range sonames {
			add(s.Name, s.Path, s.Path)
		}
	}
	return list
}

// sharedObject returns the library that an entry is or leads to.
func (m *mover) sharedObject(e layers.Entry) (file, soname string, ok bool) {
	if e.Type == layers.Symlink {
		to, err := m.tree.Resolve(e.Path)
		if err != nil {
			return "", "", false
		}
		e = to
	}
	if e.Type != layers.File || m.gone[e.Path] {
		return "", "", false
	}
	f, known := m.facts[e.Path]
	if !known || f.Bad || f.Class || !f.Dynamic || f.Machine != machine(m.config.Arch) {
		return "", "", false
	}
	return e.Path, f.Soname, true
}

// confDirs returns the directories that a configuration of ldconfig lists, in
// its order (ldconfig(8)).
func (m *mover) confDirs(name string, seen map[string]bool) ([]string, error) {
	e, err := m.tree.Resolve(name)
	if err != nil || e.Type != layers.File || seen[e.Path] || len(seen) > maxIncludes {
		return nil, nil
	}
	seen[e.Path] = true
	data, err := m.text(e)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n:,", r) })
		if len(fields) == 0 || fields[0] == "hwcap" {
			continue
		}
		if fields[0] != "include" {
			for _, dir := range fields {
				dirs = appendDir(dirs, strings.TrimRight(strings.SplitN(dir, "=", 2)[0], "/"))
			}
			continue
		}
		for _, pattern := range fields[1:] {
			if !strings.HasPrefix(pattern, "/") {
				pattern = path.Join(path.Dir(name), pattern)
			}
			more, err := m.included(pattern, seen)
			if err != nil {
				return nil, err
			}
			for _, dir := range more {
				dirs = appendDir(dirs, dir)
			}
		}
	}
	return dirs, nil
}

// children returns what lies directly in a directory, in order.
func (m *mover) children(dir string) iter.Seq[layers.Entry] {
	return func(yield func(layers.Entry) bool) {
		for e := range m.tree.Under(dir) {
			if path.Dir(e.Path) == dir && !yield(e) {
				return
			}
		}
	}
}

func (m *mover) included(pattern string, seen map[string]bool) ([]string, error) {
	dir, err := m.tree.Resolve(path.Dir(pattern))
	if err != nil || dir.Type != layers.Dir {
		return nil, nil
	}
	var dirs []string
	for e := range m.children(dir.Path) {
		if ok, err := path.Match(path.Base(pattern), path.Base(e.Path)); err != nil || !ok {
			continue
		}
		more, err := m.confDirs("/"+e.Path, seen)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, more...)
	}
	return dirs, nil
}

// cachedDirs returns the directories of the libraries in the image's own cache,
// which may have been written with another configuration.
func (m *mover) cachedDirs() ([]string, error) {
	e, err := m.tree.Resolve("/etc/ld.so.cache")
	if err != nil || e.Type != layers.File {
		return nil, nil
	}
	data, err := m.text(e)
	if err != nil {
		return nil, err
	}
	list, err := ldso.Read(data)
	if err != nil {
		return nil, nil //nolint:nilerr // a cache that nobody can read lists nothing
	}
	var dirs []string
	for _, l := range list {
		if dir := path.Dir(l.Path); !strings.Contains(dir, "/glibc-hwcaps") {
			dirs = appendDir(dirs, dir)
		}
	}
	return dirs, nil
}

// preload returns the libraries that the image wants loaded before all others:
// those of /etc/ld.so.preload and of LD_PRELOAD, which as a variable would reach
// the host's programs too.
func (m *mover) preload() ([]byte, error) {
	var words []string
	if e, err := m.tree.Resolve("/etc/ld.so.preload"); err == nil && e.Type == layers.File {
		data, err := m.text(e)
		if err != nil {
			return nil, err
		}
		words = preloads(string(data))
	}
	if v, ok := m.lookupEnv("LD_PRELOAD"); ok {
		words = append(words, preloads(v)...)
	}
	for i, w := range words {
		words[i] = m.path(w)
	}
	if len(words) == 0 {
		return nil, nil
	}
	return []byte(strings.Join(words, "\n") + "\n"), nil
}

func preloads(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n:", r) })
}

// writeMuslPath writes the file that lists the directories in which musl's
// loader looks for libraries: those of the image's own file, or its defaults.
func (m *mover) writeMuslPath(used []*loader) (int, error) {
	name := "/etc/ld-musl-x86_64.path"
	if m.config.Arch == "arm64" {
		name = "/etc/ld-musl-aarch64.path"
	}
	dirs := []string{"/lib", "/usr/local/lib", "/usr/lib"}
	if e, err := m.tree.Resolve(name); err == nil && e.Type == layers.File {
		data, err := m.text(e)
		if err != nil {
			return 0, err
		}
		dirs = nil
		for _, dir := range preloads(string(data)) {
			dirs = appendDir(dirs, dir)
		}
	}
	for _, l := range used {
		for _, dir := range append(slices.Clone(l.runpaths), m.runpaths...) {
			dirs = appendDir(dirs, dir)
		}
	}
	libraries := len(m.libraries(dirs, nil))
	for i, dir := range dirs {
		dirs[i] = m.opts.Prefix + dir
	}
	return libraries, m.add(ldso.PathFile, []byte(strings.Join(dirs, "\n")+"\n"))
}

// add adds a file to the package.
func (m *mover) add(name string, data []byte) error {
	if _, ok := m.tree.Get(name); ok {
		return fmt.Errorf("%w: /%s", ErrTaken, name)
	}
	m.changed[name] = layers.Entry{Path: name, Type: layers.File, Mode: 0o644, Size: int64(len(data)), Content: generated(data)}
	return nil
}

// generated is content that was made here.
type generated string

func (g generated) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(g))), nil
}

// Key implements layers.KeyedContent.
func (g generated) Key() string {
	sum := sha256.Sum256([]byte(g))
	return "generated:" + hex.EncodeToString(sum[:])
}
