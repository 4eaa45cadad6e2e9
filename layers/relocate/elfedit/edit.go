package elfedit

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// Edit replaces bytes of a file by as many others.
type Edit struct {
	At    int64  `json:"at"`
	Bytes []byte `json:"b"`
}

// SetInterp returns the edits and the bytes to append that make a file of size
// bytes name another loader. Linux reads the name by its offset in the file
// (fs/binfmt_elf.c, load_elf_binary), so it need not lie in memory; the loader
// itself looks at the segment's address, where the old name still stands.
func SetInterp(info Info, size int64, name string) (edits []Edit, tail []byte) {
	tail = append([]byte(name), 0)
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(tail)))
	return []Edit{
		{info.InterpAt + 8, binary.LittleEndian.AppendUint64(nil, uint64(size))}, // p_offset
		{info.InterpAt + 32, append(slices.Clone(length), length...)},            // p_filesz, p_memsz
	}, tail
}

// DropRunpath returns the edits that make loaders pass over the directories
// that a file names: its entries get a tag that means nothing to them.
func DropRunpath(info Info) []Edit {
	edits := make([]Edit, 0, len(info.RunpathAt))
	for _, at := range info.RunpathAt {
		edits = append(edits, Edit{at, binary.LittleEndian.AppendUint64(nil, uint64(elf.DT_LOOS))})
	}
	return edits
}

// Content is a file with edits and something appended. It has a key when the
// original has one.
type Content struct {
	original layers.Content
	edits    []Edit
	tail     []byte
	key      string
}

// NewContent returns the edited form of a content; edits must not overlap.
func NewContent(original layers.Content, edits []Edit, tail []byte) *Content {
	edits = slices.Clone(edits)
	slices.SortFunc(edits, func(a, b Edit) int { return int(min(max(a.At-b.At, -1), 1)) })
	c := &Content{original: original, edits: edits, tail: tail}
	if k, ok := original.(layers.KeyedContent); ok && k.Key() != "" {
		h := sha256.New()
		for _, e := range edits {
			_, _ = fmt.Fprintf(h, "%d:%d:%s", e.At, len(e.Bytes), e.Bytes) // a hash takes everything
		}
		_, _ = fmt.Fprintf(h, "%d:%s", len(tail), tail)
		c.key = "edit1:" + hex.EncodeToString(h.Sum(nil)[:16]) + ":" + k.Key()
	}
	return c
}

// Key implements layers.KeyedContent.
func (c *Content) Key() string { return c.key }

// Open implements layers.Content. Nothing but what passes through is in memory.
func (c *Content) Open() (io.ReadCloser, error) {
	in, err := c.original.Open()
	if err != nil {
		return nil, err
	}
	edited := &editor{in: in, edits: c.edits}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(edited, strings.NewReader(string(c.tail))), in}, nil
}

// editor edits what is read through it.
type editor struct {
	in    io.Reader
	pos   int64
	edits []Edit
}

func (e *editor) Read(p []byte) (int, error) {
	n, err := e.in.Read(p)
	for end := e.pos + int64(n); len(e.edits) > 0 && e.edits[0].At < end; e.edits = e.edits[1:] {
		edit := e.edits[0]
		skip := max(e.pos-edit.At, 0) // done by an earlier Read
		copy(p[edit.At+skip-e.pos:n], edit.Bytes[min(skip, int64(len(edit.Bytes))):])
		if edit.At+int64(len(edit.Bytes)) > end {
			break
		}
	}
	e.pos += int64(n)
	return n, err
}
