package relocate

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/relocate/elfedit"
)

// watchdogNames are what the templates call the program.
var watchdogNames = []string{"fwatchdog", "of-watchdog", "classic-watchdog", "watchdog"}

// watchdogModules tell a watchdog by the Go module or package it was built
// from. Ours does what of-watchdog does.
var watchdogModules = []struct{ path, kind string }{
	{"github.com/openfaas/of-watchdog", layers.OfWatchdog},
	{"github.com/openfaas/classic-watchdog", layers.ClassicWatchdog},
	{"github.com/faas-lambda/faas-lambda/watchdog", layers.OfWatchdog},
}

// maxWatchdog bounds a program that is read into memory for its build
// information; the watchdogs have 12 MB.
const maxWatchdog = 64 << 20

// dog is the watchdog that an image was made for.
type dog struct {
	kind    string
	program layers.Entry // when kind is not layers.NoWatchdog
	certain bool         // its build information says so
}

// watchdog finds the watchdog among the words of ENTRYPOINT and CMD: mostly it
// is the only one, sometimes an entry script goes before it.
func (m *mover) watchdog(words []string) dog {
	for i, word := range words {
		e, err := m.find(word)
		if err != nil {
			continue
		}
		named := slices.Contains(watchdogNames, path.Base(word)) || slices.Contains(watchdogNames, path.Base(e.Path))
		if !named && i > 0 {
			continue
		}
		if kind, ok := m.builtFrom(e); ok {
			return dog{kind: kind, program: e, certain: true}
		}
		if !named {
			continue
		}
		if _, ok := m.setting("mode"); ok {
			return dog{kind: layers.OfWatchdog, program: e}
		}
		return dog{kind: layers.ClassicWatchdog, program: e}
	}
	return dog{kind: layers.NoWatchdog}
}

// builtFrom reads a program's Go build information and reports which watchdog
// it is. A function that only embeds a watchdog's module is none.
func (m *mover) builtFrom(e layers.Entry) (kind string, ok bool) {
	first, err := head(e)
	if err != nil || e.Size > maxWatchdog || !elfedit.IsELF(first) {
		return "", false
	}
	found, err := m.recall("watchdog", e, func() ([]byte, error) {
		data, err := readStart(e, e.Size)
		return []byte(watchdogOf(data)), err
	})
	return string(found), err == nil && len(found) > 0
}

func watchdogOf(program []byte) string {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return ""
	}
	for _, m := range watchdogModules {
		for _, p := range []string{info.Path, info.Main.Path} {
			if p == m.path || strings.HasPrefix(p, m.path+"/") {
				return m.kind
			}
		}
	}
	return ""
}

// leaveOutWatchdog leaves the image's own watchdog out of the package:
// bootstrap does its work. It stays when anything else may want it, or when it
// was known only by its name.
func (m *mover) leaveOutWatchdog(d dog) {
	if !d.certain {
		return
	}
	for e := range m.tree.All() {
		if e.Type != layers.Symlink {
			continue
		}
		if to, err := m.tree.Resolve(e.Path); err == nil && to.Path == d.program.Path {
			return
		}
	}
	process, _ := m.process(d.kind)
	for word := range strings.SplitSeq(process, " ") {
		if e, err := m.find(word); err == nil && e.Path == d.program.Path {
			return
		}
	}
	m.gone[d.program.Path] = true
	m.leftOut = append(m.leftOut, layers.LeftOut{
		Path: d.program.Path, Reason: fmt.Sprintf("%s, in whose place bootstrap runs", d.kind),
	})
}

// process returns the function process that a watchdog would start, and whether
// one is needed.
func (m *mover) process(kind string) (line string, needed bool) {
	line, _ = m.setting("fprocess")
	if kind == layers.OfWatchdog {
		if v, ok := m.setting("function_process"); ok && v != "" {
			line = v
		}
		mode, _ := m.setting("mode")
		needed = mode != "static" && mode != "inproc"
	} else {
		needed = kind == layers.ClassicWatchdog
	}
	if m.opts.Process != "" {
		line = m.opts.Process
	}
	return line, needed
}

// checkStart checks the program that bootstrap will have to start.
func (m *mover) checkStart(d dog, words []string) error {
	if d.kind == layers.NoWatchdog {
		return m.checkProgram(words[0])
	}
	line, needed := m.process(d.kind)
	if !needed {
		return nil
	}
	if line == "" {
		return fmt.Errorf("%w: %s does not know what to run (set fprocess in the image, or envProcess in the deployment)", ErrNoProcess, d.kind)
	}
	word, _, _ := strings.Cut(line, " ")
	return m.checkProgram(word)
}
