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
