package press

import (
	"bytes"
	"io"
	"strconv"

	"github.com/klauspost/compress/flate"

	"github.com/faas-lambda/faas-lambda/layers"
)

// What ends a Head early: everything that is neither a program nor a script is
// told by its first bytes, if at all. The header of a compiled Python module says
// more (PEP 552).
const (
	shortHead  = 4
	pythonHead = 16
)

// head returns what is to be remembered of a content's beginning.
func head(b []byte) []byte {
	n := shortHead
	switch {
	case bytes.HasPrefix(b, []byte("\x7fELF")) || bytes.HasPrefix(b, []byte("#!")):
		n = layers.HeadSize
	case len(b) >= shortHead && string(b[2:shortHead]) == "\r\n":
		n = pythonHead
	}
	return bytes.Clone(b[:min(n, len(b))])
}

// Source is what several contents have in common: the file that a Spool wrote,
// and a name of it that no other file has. Prefix is empty when there is none.
type Source struct {
	File   io.ReaderAt
	Prefix string
}

// Content is a file's content in a Spool's file. It is a layers.DeflatedContent,
// KeyedContent and HeadedContent.
type Content struct {
	Stream
	Number int // of the content in its source
	Source *Source
}

// Open inflates the content.
func (c *Content) Open() (io.ReadCloser, error) {
	return flate.NewReader(c.section()), nil
}

// OpenDeflated returns the content as it is kept.
func (c *Content) OpenDeflated() (layers.Deflated, error) {
	return layers.Deflated{Body: io.NopCloser(c.section()), Size: c.Size, CRC32: c.CRC32}, nil
}

// Head returns the content's beginning.
func (c *Content) Head() []byte { return c.Stream.Head }

// Key names the content by its source and its number there.
func (c *Content) Key() string {
	if c.Source.Prefix == "" {
		return ""
	}
	return c.Source.Prefix + "#" + strconv.Itoa(c.Number)
}

func (c *Content) section() *io.SectionReader {
	return io.NewSectionReader(c.Source.File, c.Offset, c.Size)
}
