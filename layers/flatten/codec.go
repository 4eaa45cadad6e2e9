package flatten

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"slices"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/press"
)

// formatVersion names how an index is written in the cache, and what reading a
// layer makes of it: whatever changes the one or the other changes this.
const formatVersion = "index-2"

// Flags of a node.
const (
	flagImplied = 1 << iota
	flagLeftOut
	flagOpaque
	flagContent // of a file that is not empty
	flagTarget  // of a hard link to a lower layer
)

// encode writes the index so that decodeIndex makes the same of it. list are
// its contents in the order of their numbers.
func (x *index) encode(list []*press.Content) []byte {
	var w writer
	w.number(x.used.entries)
	w.number(x.used.bytes)
	w.number(x.used.content)
	w.number(int64(x.xattrs))
	w.number(int64(len(x.leftOut)))
	for _, l := range x.leftOut {
		w.text(l.Path)
		w.text(l.Reason)
	}
	w.number(int64(len(list)))
	for _, c := range list {
		w.number(c.Offset)
		w.number(c.Size)
		w.number(int64(c.CRC32))
		w.text(string(c.Stream.Head))
	}
	w.node(x.root)
	return w.out
}

// writer appends to out.
type writer struct{ out []byte }

func (w *writer) number(n int64) { w.out = binary.AppendUvarint(w.out, uint64(n)) }

func (w *writer) text(s string) {
	w.number(int64(len(s)))
	w.out = append(w.out, s...)
}

func (w *writer) node(n *node) {
	flags := 0
	for flag, set := range map[int]bool{flagImplied: n.implied, flagLeftOut: n.leftOut, flagOpaque: n.opaque, flagTarget: n.target != ""} {
		if set {
			flags |= flag
		}
	}
	content, _ := n.Content.(*press.Content)
	if content != nil {
		flags |= flagContent
	}
	w.out = append(w.out, byte(n.Type), byte(flags))
	w.number(int64(n.Mode))
	switch {
	case n.target != "":
		w.text(n.target)
	case n.Type == layers.File && content != nil:
		w.number(int64(n.ModTime))
		w.number(n.Size)
		w.number(int64(content.Number))
	case n.Type == layers.File && !n.leftOut:
		w.number(int64(n.ModTime))
	case n.Type == layers.Symlink:
		w.text(n.Link)
	case n.Type == layers.Dir:
		w.number(int64(len(n.whiteouts)))
		for _, name := range slices.Sorted(maps.Keys(n.whiteouts)) {
			w.text(name)
		}
		w.number(int64(len(n.children)))
		for _, name := range slices.Sorted(maps.Keys(n.children)) {
			w.text(name)
			w.node(n.children[name])
		}
	}
}

var errIndex = errors.New("index makes no sense")

// decodeIndex reads what encode wrote. The contents are those of source. The
// index keeps data.
func decodeIndex(data []byte, source *press.Source) (*index, error) {
	r := scanner{data: data}
	x := &index{used: usage{entries: r.number(), bytes: r.number(), content: r.number()}, xattrs: int(r.number())}
	for range r.count() {
		x.leftOut = append(x.leftOut, layers.LeftOut{Path: r.text(), Reason: r.text()})
	}
	list := make([]press.Content, r.count())
	for i := range list {
		list[i] = press.Content{Number: i, Source: source, Stream: press.Stream{
			Offset: r.number(), Size: r.number(), CRC32: uint32(r.number()), Head: r.bytes(),
		}}
	}
	x.root = r.node(x, list, 0)
	if r.bad || len(r.data) > 0 || x.root.Type != layers.Dir {
		return nil, errIndex
	}
	return x, nil
}

// scanner takes from the beginning of data. After the first mistake it returns
// zeros.
type scanner struct {
	data []byte
	bad  bool
}

func (r *scanner) number() int64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 || int64(v) < 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return int64(v)
}

// count is a number of things that take at least one byte each.
func (r *scanner) count() int {
	n := r.number()
	if n > int64(len(r.data)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *scanner) bytes() []byte {
	n := r.count()
	b := r.data[:n:n]
	r.data = r.data[n:]
	return b
}

func (r *scanner) text() string { return string(r.bytes()) }

func (r *scanner) fail() { r.data, r.bad = nil, true }

func (r *scanner) node(x *index, list []press.Content, depth int) *node {
	n := &node{}
	if len(r.data) < 2 || depth > maxSteps {
		r.fail()
		return n
	}
	flags := r.data[1]
	n.Type = layers.Type(r.data[0])
	r.data = r.data[2:]
	n.implied, n.leftOut, n.opaque = flags&flagImplied != 0, flags&flagLeftOut != 0, flags&flagOpaque != 0
	n.Mode = fs.FileMode(r.number())
	switch {
	case flags&flagTarget != 0:
		n.target = r.text()
		x.links = append(x.links, n)
	case n.Type == layers.File && flags&flagContent != 0:
		n.ModTime = uint32(r.number())
		n.Size = r.number()
		if i := r.number(); i < int64(len(list)) {
			n.Content = &list[i]
		} else {
			r.fail()
		}
	case n.Type == layers.File && !n.leftOut:
		n.ModTime = uint32(r.number())
		n.Content = empty{}
	case n.Type == layers.Symlink:
		n.Link = r.text()
	case n.Type == layers.Dir:
		for i := range r.count() {
			if i == 0 {
				n.whiteouts = map[string]bool{}
			}
			n.whiteouts[r.text()] = true
		}
		count := r.count()
		n.children = make(map[string]*node, count)
		for range count {
			name := r.text()
			n.children[name] = r.node(x, list, depth+1)
		}
	case n.Type > layers.Symlink:
		r.fail()
	}
	return n
}
