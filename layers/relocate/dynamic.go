package relocate

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/relocate/elfedit"
	"github.com/faas-lambda/faas-lambda/layers/relocate/ldso"
)

// loader is a dynamic loader of the image, or why it cannot be moved.
type loader struct {
	kind     ldso.Kind
	file     layers.Entry // resolved
	patch    patch
	err      error    // why programs that need it cannot be moved
	programs int      // that name it
	runpaths []string // absolute directories that its programs name
}

// patch is what is remembered about a loader: how it is changed.
type patch struct {
	Edits  []elfedit.Edit `json:"e,omitempty"`
	System []string       `json:"s,omitempty"` // directories that it searched last
	Reason string         `json:"r,omitempty"` // why it cannot be changed
}

// change is how a file's content is edited.
type change struct {
	edits []elfedit.Edit
	tail  []byte
}

func (m *mover) change(p string) *change {
	c := m.edits[p]
	if c == nil {
		c = &change{}
		m.edits[p] = c
	}
	return c
}

// loader returns the loader that programs know by a name.
func (m *mover) loader(interp string) (*loader, error) {
	if l, ok := m.loaders[interp]; ok {
		return l, nil
	}
	l := &loader{}
	m.loaders[interp] = l
	kind, ok := ldso.KindOf(interp)
	if !ok {
		l.err = fmt.Errorf("%w: %s is neither glibc's nor musl's", ErrLoader, interp)
		return l, nil
	}
	l.kind = kind
	file, err := m.tree.Resolve(interp)
	if err != nil || file.Type != layers.File {
		l.err = fmt.Errorf("%w: the image does not hold %s", ErrLoader, interp)
		return l, nil
	}
	l.file = file
	for other, known := range m.loaders {
		if other != interp && known.file.Path == file.Path && known.kind == kind {
			l.patch, l.err = known.patch, known.err
			return l, nil
		}
	}
	return l, m.patchLoader(l)
}

// patchLoader finds out how the loader is changed. Only what cannot be read is
// its error.
func (m *mover) patchLoader(l *loader) error {
	data, err := m.recall("loader:"+m.opts.Prefix+":", l.file, func() ([]byte, error) {
		if l.file.Size > ldso.MaxLoader {
			return json.Marshal(patch{Reason: fmt.Sprintf("it has %d bytes", l.file.Size)})
		}
		content, err := readStart(l.file, l.file.Size)
		if err != nil {
			return nil, err
		}
		found, err := ldso.PatchLoader(l.kind, machine(m.config.Arch), content, m.opts.Prefix)
		if errors.Is(err, ldso.ErrUnknown) {
			return json.Marshal(patch{Reason: err.Error()})
		}
		if err != nil {
			return nil, err
		}
		return json.Marshal(patch{Edits: found.Edits, System: found.SystemDirs})
	})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &l.patch); err != nil {
		return fmt.Errorf("read fact about /%s: %w", l.file.Path, err)
	}
	if l.patch.Reason != "" {
		l.err = fmt.Errorf("%w: /%s: %s", ErrLoader, l.file.Path, l.patch.Reason)
	}
	return nil
}

// checkELF refuses a program of the start that is for another processor, or
// whose loader cannot be moved.
func (m *mover) checkELF(e layers.Entry) error {
	f, err := m.elf(e)
	if err != nil {
		return err
	}
	want := machine(m.config.Arch)
	switch {
	case f.Bad:
		return fmt.Errorf("%w: /%s is a damaged ELF file", ErrFormat, e.Path)
	case f.Class:
		return fmt.Errorf("%w: /%s is a 32-bit or big-endian program (%v), the image for %s", ErrMachine, e.Path, f.Machine, m.config.Arch)
	case f.Machine != want:
		return fmt.Errorf("%w: /%s is for %v, the image for %s", ErrMachine, e.Path, f.Machine, m.config.Arch)
	case f.Interp == "":
		return nil
	case m.opts.Prefix == "":
		return m.checkInterpreter(e, f)
	}
	l, err := m.loader(f.Interp)
	if err != nil {
		return err
	}
	if l.err != nil {
		return fmt.Errorf("program /%s needs %s: %w", e.Path, f.Interp, l.err)
	}
	return m.checkKnown(e, f)
}

// debianNode is a file that Debian's build of Node reads, by this path and no
// other, before anything else; without it the program aborts.
const debianNode = "/usr/share/nodejs/cjs-module-lexer/lexer.js"

// checkKnown refuses programs that are known to read files by paths that are
// compiled into them, and to end without them.
func (m *mover) checkKnown(e layers.Entry, f fact) error {
	node := slices.ContainsFunc(f.Needed, func(n string) bool { return strings.HasPrefix(n, "libnode.so.") })
	if node && m.has(debianNode, layers.File) {
		return fmt.Errorf("%w: /%s is Debian's build of Node, which reads %s and the like by these paths: take Node's own build, or a container image", ErrUnmovable, e.Path, debianNode)
	}
	return nil
}

// moveELF settles how an ELF file is changed, as far as it can be settled file
// by file.
func (m *mover) moveELF(e layers.Entry) error {
	f := m.facts[e.Path]
	executable := e.Mode&0o111 != 0
	switch {
	case f.Bad:
		return nil
	case f.Class || f.Machine != machine(m.config.Arch):
		if executable && f.Interp != "" || f.Class && executable && !library(e.Path) {
			m.unmoved(e.Path, fmt.Sprintf("for another processor: %v", f.Machine))
		}
		return nil
	case f.Interp != "" && f.Soname == "":
		if err := m.moveProgram(e, f); err != nil {
			return err
		}
	case executable && !f.Dynamic && !f.Go && !library(e.Path) && f.Type != elf.ET_REL:
		m.report.Static = append(m.report.Static, e.Path)
	}
	for _, n := range f.Needed {
		if strings.HasPrefix(n, "/") {
			m.unmoved(e.Path, "needs the library "+n+" by its absolute path")
		}
	}
	m.moveRunpath(e, f)
	return nil
}

// library reports whether a file is named like a shared library.
func library(p string) bool {
	base := path.Base(p)
	return strings.HasSuffix(base, ".so") || strings.Contains(base, ".so.")
}

// moveProgram points a program to its loader in the package.
func (m *mover) moveProgram(e layers.Entry, f fact) error {
	l, err := m.loader(f.Interp)
	if err != nil {
		return err
	}
	if l.err != nil {
		m.unmoved(e.Path, l.err.Error())
		return nil
	}
	l.programs++
	for _, dir := range f.Runpath {
		l.runpaths = appendDir(l.runpaths, dir)
	}
	c := m.change(e.Path)
	edits, tail := elfedit.SetInterp(f.Info, e.Size, m.opts.Prefix+f.Interp)
	c.edits, c.tail = append(c.edits, edits...), tail
	m.report.Programs = append(m.report.Programs, e.Path)
	return nil
}

// moveRunpath takes the absolute directories in which a file looks for its
// libraries out of it, when it names no others: they are the host's. What the
// image has in them is found by the loader's own list.
func (m *mover) moveRunpath(e layers.Entry, f fact) {
	if len(f.RunpathAt) == 0 {
		return
	}
	absolute := true
	for _, dir := range f.Runpath {
		absolute = absolute && strings.HasPrefix(dir, "/") && !strings.Contains(dir, "$")
		if f.Interp == "" {
			m.runpaths = appendDir(m.runpaths, dir)
		}
	}
	if !absolute {
		return
	}
	c := m.change(e.Path)
	c.edits = append(c.edits, elfedit.DropRunpath(f.Info)...)
	m.report.Runpaths = append(m.report.Runpaths, e.Path)
}

// appendDir appends a directory when it is absolute and new.
func appendDir(list []string, dir string) []string {
	if !strings.HasPrefix(dir, "/") || strings.Contains(dir, "$") || slices.Contains(list, path.Clean(dir)) {
		return list
	}
	return append(list, path.Clean(dir))
}

// unmoved reports what of the image may not work in the package.
func (m *mover) unmoved(p, reason string) {
	m.report.Unmoved = append(m.report.Unmoved, Unmoved{Path: p, Reason: reason})
}

// applyEdits gives the package the edited form of every file that has one.
func (m *mover) applyEdits() {
	for p, c := range m.edits {
		e, ok := m.changed[p]
		if !ok {
			e, _ = m.tree.Get(p)
		}
		e.Content = elfedit.NewContent(e.Content, c.edits, c.tail)
		e.Size += int64(len(c.tail))
		m.changed[p] = e
	}
}
