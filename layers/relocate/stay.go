package relocate

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// Stayed is an image that runs from its own root.
type Stayed struct {
	Start layers.Start
	// Added is what the image must get besides what it has, in the order of
	// paths: its working directory when that is missing, and files and
	// directories that only their owner could read or run, with modes that let
	// Lambda's user do so.
	Added []layers.Entry
	Env   []Variable // the variables that differ from the image's
}

// Stay settles how an image is started where nothing of it moves: as a container
// image. Of the options, Process, Env and Facts count.
func Stay(tree *layers.Tree, config layers.Config, opts Options) (*Stayed, error) {
	opts.Prefix = ""
	m := newMover(tree, config, opts)
	start, err := m.start()
	if err != nil {
		return nil, err
	}
	start.Env = m.ownEnv()
	for e := range tree.All() {
		if wide := e.Mode | readable(e) | everybody(readable(e)); e.Type != layers.Symlink && wide.Perm() != e.Mode.Perm() {
			e.Mode = wide
			m.changed[e.Path] = e
		}
	}
	added := slices.SortedFunc(maps.Values(m.changed), func(a, b layers.Entry) int { return strings.Compare(a.Path, b.Path) })
	return &Stayed{Start: start, Added: added, Env: m.report.Env}, nil
}

// ownEnv returns the image's variables as a container runtime would set them,
// except for HOME, which must be where a function can write.
func (m *mover) ownEnv() []string {
	var out []string
	at := map[string]int{}
	set := func(name, value string) {
		if i, ok := at[name]; ok {
			out[i] = name + "=" + value
			return
		}
		at[name] = len(out)
		out = append(out, name+"="+value)
	}
	if _, ok := m.lookupEnv("PATH"); !ok {
		set("PATH", imagePath)
	}
	home := writable
	for _, kv := range m.config.Env {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			continue
		}
		if name == "HOME" && onHost(path.Clean(value)) {
			home = value
		}
		set(name, value)
	}
	if old, _ := m.lookupEnv("HOME"); old != home {
		m.report.Env = append(m.report.Env, Variable{"HOME", home, "the image's own cannot be written to"})
	}
	set("HOME", home)
	for _, v := range []struct {
		name, value, reason string
	}{
		{"PYTHONUSERBASE", m.pythonUserBase(), "Python's packages in the image's home"},
		{"GEM_PATH", m.homeGems(), "Ruby's gems in the image's home"},
	} {
		if _, own := m.lookupEnv(v.name); own || v.value == "" {
			continue
		}
		set(v.name, v.value)
		m.report.Env = append(m.report.Env, Variable{v.name, v.value, v.reason})
	}
	return out
}

// homeGems is every place of gems when some are in the image's home: the
// variable stands for all of them.
func (m *mover) homeGems() string {
	if len(m.glob(m.home()+"/.gem/ruby/[0-9]*")) == 0 && len(m.glob(m.home()+"/.local/share/gem/ruby/[0-9]*")) == 0 {
		return ""
	}
	return m.gems()
}

// checkInterpreter checks that a program's loader is in the image, where the
// program looks for it.
func (m *mover) checkInterpreter(e layers.Entry, f fact) error {
	if to, err := m.tree.Resolve(f.Interp); err != nil || to.Type != layers.File {
		return fmt.Errorf("%w: /%s needs %s, which the image does not have", ErrNoProgram, e.Path, f.Interp)
	}
	return nil
}
