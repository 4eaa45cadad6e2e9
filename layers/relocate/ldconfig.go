package relocate

import (
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/relocate/ldso"
)

// maxIncludes bounds the files that /etc/ld.so.conf includes.
const maxIncludes = 256

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
