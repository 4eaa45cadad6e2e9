// Package relocate moves a root file system under the directory at which Lambda
// unpacks a package, and settles how its programs are started from there: links,
// loaders, scripts, environment and command are rewritten (docs/relocation.md).
// It runs nothing of the image and needs no other program. What cannot be moved
// is refused when the function's own program needs it, and reported otherwise.
package relocate

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/relocate/elfedit"
)

// Errors of Relocate, for errors.Is. The text around them names the file.
var (
	// ErrUnmovable says that the image cannot run from another directory than its
	// own root: as a container image it can.
	ErrUnmovable = errors.New("image cannot be moved into a zip package")
	// ErrDynamic is an ErrUnmovable: a dynamically linked program cannot be moved.
	ErrDynamic = fmt.Errorf("%w: dynamically linked program", ErrUnmovable)
	// ErrLoader is an ErrDynamic: the program's loader cannot be moved.
	ErrLoader = fmt.Errorf("%w: loader cannot be moved", ErrDynamic)
	// ErrTaken is an ErrUnmovable: the image has a file where the package needs one.
	ErrTaken = fmt.Errorf("%w: it holds a file of a name that the package needs", ErrUnmovable)

	ErrNoProgram = errors.New("program not found in the image")
	ErrFormat    = errors.New("program cannot be run by Linux")
	ErrMachine   = errors.New("program is for another processor")
	ErrNoProcess = errors.New("image sets no fprocess")
	ErrNoCommand = errors.New("image has neither ENTRYPOINT nor CMD")
	ErrDir       = errors.New("working directory of the image cannot be used")
)

// Options of Relocate.
type Options struct {
	Prefix  string // where the package will lie: "/var/task" on Lambda
	Process string // the deployment's envProcess, which replaces the image's fprocess; may be empty
	// Env are the deployment's variables, NAME=value. Only what they say of the
	// watchdog's mode and process is looked at; nothing of them gets into the
	// package.
	Env []string
	// KeepAll keeps what otherwise is left out because no function reads it.
	KeepAll bool
	// Facts remembers what was found out about files, so that they need not be
	// inflated again; may be nil.
	Facts layers.Facts
}

// Result is a tree that runs under the prefix.
type Result struct {
	Tree    *layers.Tree
	Start   layers.Start
	Process string           // Options.Process with its paths moved
	LeftOut []layers.LeftOut // what the package does not hold or keep
	Report  Report           // what was moved, and how
}

// Relocate moves tree, the root of an image with that configuration. The tree
// and its contents must stay open as long as the result is used.
func Relocate(tree *layers.Tree, config layers.Config, opts Options) (*Result, error) {
	m := newMover(tree, config, opts)
	start, err := m.start()
	if err != nil {
		return nil, err
	}
	if err := m.move(); err != nil {
		return nil, fmt.Errorf("move image under %s: %w", opts.Prefix, err)
	}
	if start.Env, err = m.env(); err != nil {
		return nil, fmt.Errorf("move image under %s: %w", opts.Prefix, err)
	}
	moved, err := layers.NewTree(m.entries())
	if err != nil {
		return nil, fmt.Errorf("move image under %s: %w", opts.Prefix, err)
	}
	return &Result{Tree: moved, Start: start, Process: m.words(opts.Process), LeftOut: m.leftOut, Report: m.report}, nil
}

// mover is one Relocate at work.
type mover struct {
	tree    *layers.Tree
	config  layers.Config
	opts    Options
	changed map[string]layers.Entry // by path: replaced or added
	gone    map[string]bool         // by path: left out
	leftOut []layers.LeftOut
	report  Report

	facts       map[string]fact    // of ELF files, by path
	edits       map[string]*change // of ELF files and compiled modules, by path
	loaders     map[string]*loader // by the name that programs know
	runpaths    []string           // absolute directories that libraries name
	failed      error              // of what is made on the way to a variable
	libraryPath []string           // of LD_LIBRARY_PATH, what would break the host's programs
}

func newMover(tree *layers.Tree, config layers.Config, opts Options) *mover {
	return &mover{
		tree: tree, config: config, opts: opts,
		changed: map[string]layers.Entry{}, gone: map[string]bool{},
		facts: map[string]fact{}, edits: map[string]*change{}, loaders: map[string]*loader{},
	}
}

// move settles what becomes of every file.
func (m *mover) move() error {
	if !m.opts.KeepAll {
		m.leaveOut()
	}
	var programs []layers.Entry
	for e := range m.tree.All() {
		if e.Type != layers.File || e.Size == 0 || m.gone[e.Path] {
			continue
		}
		first, err := head(e)
		if err != nil {
			return err
		}
		switch {
		case elfedit.IsELF(first):
			programs = append(programs, e)
		case isScript(first) && e.Mode&0o111 != 0:
			m.moveScript(e, first)
		case path.Ext(e.Path) == ".pyc":
			m.keepCompiled(e, first)
		default:
			err = m.moveText(e)
		}
		if err != nil {
			return err
		}
	}
	if err := m.readELFs(programs); err != nil {
		return err
	}
	for _, e := range programs {
		if err := m.moveELF(e); err != nil {
			return err
		}
	}
	m.splitLibraryPath()
	if err := m.moveLoaders(); err != nil {
		return err
	}
	m.applyEdits()
	return nil
}

// start settles how the function starts, and checks that it can.
func (m *mover) start() (layers.Start, error) {
	if err := m.makeDir(); err != nil {
		return layers.Start{}, err
	}
	words := append(append([]string{}, m.config.Entrypoint...), m.config.Cmd...)
	if len(words) == 0 {
		return layers.Start{}, ErrNoCommand
	}
	dog := m.watchdog(words)
	if err := m.checkStart(dog, words); err != nil {
		return layers.Start{}, err
	}
	m.leaveOutWatchdog(dog)
	start := layers.Start{Watchdog: dog.kind, Dir: m.dir()}
	for _, w := range words {
		start.Command = append(start.Command, m.value(w))
	}
	return start, nil
}

// workdir is the image's working directory as an absolute path of the image.
func (m *mover) workdir() string { return path.Clean("/" + m.config.Dir) }

// dir is the working directory in the package.
func (m *mover) dir() string {
	dir := m.workdir()
	if onHost(dir) {
		return dir
	}
	return path.Join(m.opts.Prefix, dir)
}

// makeDir makes sure that the working directory exists, as container runtimes
// do when they start an image.
func (m *mover) makeDir() error {
	if onHost(m.workdir()) {
		return nil
	}
	at := "."
	for name := range strings.SplitSeq(strings.TrimPrefix(m.workdir(), "/"), "/") {
		if name == "" {
			continue
		}
		next := path.Join(at, name)
		e, err := m.tree.Resolve(next)
		switch {
		case err == nil && e.Type == layers.Dir:
			at = e.Path
			continue
		case err == nil:
			return fmt.Errorf("%w: %s: /%s is a file", ErrDir, m.workdir(), next)
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %s: %w", ErrDir, m.workdir(), err)
		}
		if _, dangling := m.tree.Get(next); dangling {
			return fmt.Errorf("%w: %s: /%s is a link to nothing", ErrDir, m.workdir(), next)
		}
		m.changed[next] = layers.Entry{Path: next, Type: layers.Dir, Mode: 0o755}
		at = next
	}
	return nil
}

// entries returns the moved tree's entries.
func (m *mover) entries() []layers.Entry {
	list := make([]layers.Entry, 0, m.tree.Len()+len(m.changed))
	for e := range m.tree.All() {
		if m.gone[e.Path] {
			continue
		}
		if c, ok := m.changed[e.Path]; ok {
			e = c
			delete(m.changed, e.Path)
		}
		if e.Type == layers.Symlink {
			to := m.link(e)
			if to != e.Link {
				m.report.Links++
			}
			e.Link = to
		}
		e.Mode = readable(e)
		if e.Type == layers.File && e.Mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			m.leftOut = append(m.leftOut, layers.LeftOut{Path: e.Path, Reason: "setuid or setgid bit, which Lambda ignores"})
		}
		list = append(list, e)
	}
	for _, e := range m.changed {
		list = append(list, e)
	}
	return list
}

// readable is an entry's mode with what root could do in a container, whatever
// the bits said, given to the owner; layers/bundle gives everybody what the
// owner has.
func readable(e layers.Entry) fs.FileMode {
	switch {
	case e.Type == layers.Dir:
		return e.Mode | 0o500
	case e.Type == layers.File && e.Mode&0o111 != 0:
		return e.Mode | 0o500
	case e.Type == layers.File:
		return e.Mode | 0o400
	}
	return e.Mode
}

// everybody gives group and others what the owner may read, run or search.
func everybody(m fs.FileMode) fs.FileMode {
	owner := m >> 6 & 0o5
	return m&fs.ModePerm | owner<<3 | owner
}
