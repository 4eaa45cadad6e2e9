package layers

import (
	"io"
	"strings"
)

// Content is the content of a file. It can be opened any number of times, by
// several goroutines at once, as long as whatever made it is not closed.
type Content interface {
	Open() (io.ReadCloser, error)
}

// DeflatedContent is a Content that is kept compressed, so that a zip can hold
// the same bytes without anything being compressed again.
type DeflatedContent interface {
	Content
	OpenDeflated() (Deflated, error)
}

// Deflated is content as a raw DEFLATE stream (RFC 1951). The reader of Body
// closes it.
type Deflated struct {
	Body  io.ReadCloser
	Size  int64  // of the stream in bytes
	CRC32 uint32 // of the content (IEEE)
}

// KeyedContent is a Content with a name that no other bytes have: a digest of
// them, or the key of what they were made from together with how. What was once
// found out about such content, or made of it, can be used again.
type KeyedContent interface {
	Content
	Key() string // empty when there is none after all
}

// LayerOf returns the digest of the layer that a file's content lies in, with
// which the key of such content begins; empty for other content, also of what
// relocation changed.
func LayerOf(e Entry) string {
	k, ok := e.Content.(KeyedContent)
	if !ok {
		return ""
	}
	digest, _, ok := strings.Cut(k.Key(), " ")
	if !ok || !strings.HasPrefix(digest, "sha256:") {
		return ""
	}
	return digest
}

// HeadSize is how many bytes a HeadedContent knows: as many of a script's first
// line as Linux reads (BINPRM_BUF_SIZE).
const HeadSize = 256

// HeadedContent is a Content whose beginning is known without opening it.
type HeadedContent interface {
	Content
	// Head returns the first min(size, HeadSize) bytes when they begin an ELF
	// file or a script, the first 16 when they are the header of a compiled
	// Python module, and at least the first four of any other content. Nobody
	// may change them.
	Head() []byte
}

// Facts remembers what was found out about contents, by their keys. It may be
// used by several goroutines at once. A fact that cannot be kept is forgotten.
type Facts interface {
	Fact(key string) (fact []byte, ok bool)
	Remember(key string, fact []byte)
}
