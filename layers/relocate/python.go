package relocate

import (
	"encoding/binary"
	"path"
	"regexp"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/relocate/elfedit"
)

// A compiled Python module begins with four bytes that name the release, flags,
// and the time and size of its source (PEP 552, "Deterministic pycs"; since
// Python 3.7).
const (
	pycFlags  = 4
	pycTime   = 8
	pycSize   = 12
	pycHeader = 16
)

// pycUnchecked are the flags of a module that counts without a look at its
// source: what else is in the header is a hash that nobody compares.
const pycUnchecked = 1

// pycName is the name of a compiled module (PEP 3147, PEP 488) of CPython 3.7 or
// later; its first part is that of the source.
var pycName = regexp.MustCompile(`^([^.]+)\.cpython-3(?:[7-9]|[1-9][0-9])(?:\.opt-[0-9a-zA-Z]+)?\.pyc$`)

// keepCompiled lets a compiled module count that does so in the image. Python
// compares the time of the source, which no package keeps, and would compile
// every module again in every new sandbox, since it cannot write there either.
func (m *mover) keepCompiled(e layers.Entry, head []byte) {
	dir, name := path.Split(e.Path)
	match := pycName.FindStringSubmatch(name)
	if match == nil || path.Base(dir) != "__pycache__" || len(head) < pycHeader || string(head[2:pycFlags]) != "\r\n" {
		return
	}
	source, ok := m.tree.Get(path.Join(path.Dir(path.Clean(dir)), match[1]+".py"))
	if !ok || source.Type != layers.File {
		return
	}
	number := func(at int) uint32 { return binary.LittleEndian.Uint32(head[at:]) }
	if number(pycFlags) != 0 || number(pycTime) != source.ModTime || number(pycSize) != uint32(source.Size) {
		return // it counts whatever the time, or never did
	}
	m.change(e.Path).edits = []elfedit.Edit{{At: pycFlags, Bytes: []byte{pycUnchecked}}}
	m.report.Compiled++
}

// pythonZones is for Python's zoneinfo, which knows no TZDIR.
func (m *mover) pythonZones() string {
	if len(m.glob("/usr/lib/python3*")) == 0 && len(m.glob("/usr/local/lib/python3*")) == 0 {
		return ""
	}
	return dirs("/usr/share/zoneinfo")(m)
}

// pythonUserBase is where pip --user has installed packages for the image's user.
func (m *mover) pythonUserBase() string {
	base := path.Join(m.home(), ".local")
	if len(m.glob(base+"/lib/python*/site-packages")) > 0 {
		return m.moved(base)
	}
	return ""
}
