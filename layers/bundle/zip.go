package bundle

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/faas-lambda/faas-lambda/layers"
)

const (
	// firstDay is the earliest date that a zip can name, 1980-01-01 (APPNOTE.TXT
	// 4.4.6): every entry has it, so that no clock shows in the bytes.
	firstDay = 1<<5 | 1
	// version is the version of the format that is needed to unpack (4.4.3), and
	// unix the system whose modes the entries have (4.4.2).
	version = 20
	unix    = 3 << 8
	// utf8Name marks a name that is UTF-8 (4.4.4, bit 11).
	utf8Name = 1 << 11

	methodStore   = 0 // (4.4.5)
	methodDeflate = 8

	localHeader   = 0x04034b50 // signatures (4.3)
	centralHeader = 0x02014b50
	endHeader     = 0x06054b50
	end64Header   = 0x06064b50
	end64Locator  = 0x07064b50
	version64     = 45

	maxZip32 = math.MaxUint32 // a larger zip would need ZIP64 for its sizes, which Lambda would not take anyway
)

// archive writes a zip whose sizes are all known beforehand. archive/zip would
// do, but for the copies that it makes of what has only to be passed on: they
// are most of what a package out of the cache costs.
type archive struct {
	out     *output
	local   []byte // the header that is being written
	central []byte // directory
	count   int
}

// header is what an entry's two headers say.
type header struct {
	name                 string
	mode                 uint32 // of Unix
	method               uint16
	crc                  uint32
	compressed, original int64
}

// write writes the tree's entries in its order.
func write(ctx context.Context, out *output, tree *layers.Tree, contents *compressed, progress layers.Progress, total int64) error {
	a := &archive{out: out}
	var done int64
	for e := range tree.All() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := a.entry(e, contents); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
		if done += e.Size; progress != nil && e.Type == layers.File {
			progress(layers.Step{Stage: layers.StageWrite, Parts: 1, Done: done, Total: total})
		}
	}
	return a.end()
}

// Types of Unix's modes (inode(7)).
const (
	modeDir  = 0o040000
	modeFile = 0o100000
	modeLink = 0o120000
)

func (a *archive) entry(e layers.Entry, contents *compressed) error {
	h := header{name: e.Path, method: methodStore}
	switch e.Type {
	case layers.Dir:
		h.name += "/"
		h.mode = modeDir | uint32(widen(e.Mode))
		return a.begin(h)
	case layers.Symlink:
		h.mode = modeLink | 0o777
		h.crc = crc32.ChecksumIEEE([]byte(e.Link))
		h.compressed, h.original = int64(len(e.Link)), int64(len(e.Link))
		if err := a.begin(h); err != nil {
			return err
		}
		_, err := a.out.Write([]byte(e.Link))
		return err
	}
	h.mode = modeFile | uint32(widen(e.Mode))
	if e.Size == 0 {
		return a.begin(h)
	}
	return a.copy(h, e.Size, contents.of(e))
}

// copy writes content that is compressed already.
func (a *archive) copy(h header, size int64, c layers.DeflatedContent) (err error) {
	in, err := c.OpenDeflated()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Body.Close()) }()
	h.method, h.crc, h.compressed, h.original = methodDeflate, in.CRC32, in.Size, size
	if err := a.begin(h); err != nil {
		return err
	}
	n, err := a.out.ReadFrom(&io.LimitedReader{R: in.Body, N: in.Size})
	if err == nil && n != in.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// begin writes the local header of an entry and notes the one in the directory.
func (a *archive) begin(h header) error {
	a.count++
	if len(h.name) > math.MaxUint16 || h.original >= maxZip32 || a.out.n+h.compressed >= maxZip32 {
		return fmt.Errorf("%w: the zip would have more than 4 GB", ErrTooLarge)
	}
	at := a.out.n
	flags := uint16(0)
	ascii := !strings.ContainsFunc(h.name, func(r rune) bool { return r >= utf8.RuneSelf })
	if !ascii && utf8.ValidString(h.name) {
		flags = utf8Name
	}
	// What both headers have in common, 4.3.7 and 4.3.12.
	common := func(b []byte) []byte {
		le := binary.LittleEndian
		b = le.AppendUint16(b, version)
		b = le.AppendUint16(b, flags)
		b = le.AppendUint16(b, h.method)
		b = le.AppendUint16(b, 0) // time
		b = le.AppendUint16(b, firstDay)
		b = le.AppendUint32(b, h.crc)
		b = le.AppendUint32(b, uint32(h.compressed))
		b = le.AppendUint32(b, uint32(h.original))
		b = le.AppendUint16(b, uint16(len(h.name)))
		return le.AppendUint16(b, 0) // extra
	}
	le := binary.LittleEndian
	a.local = append(common(le.AppendUint32(a.local[:0], localHeader)), h.name...)
	a.central = le.AppendUint16(le.AppendUint32(a.central, centralHeader), unix|version)
	a.central = append(common(a.central), make([]byte, 6)...) // comment, disk, internal attributes
	a.central = le.AppendUint32(a.central, h.mode<<16)
	a.central = le.AppendUint32(a.central, uint32(at))
	a.central = append(a.central, h.name...)
	_, err := a.out.Write(a.local)
	return err
}

// end writes the directory and its end, 4.3.16.
func (a *archive) end() error {
	if a.out.n+int64(len(a.central)) >= maxZip32 {
		return fmt.Errorf("%w: the zip would have more than 4 GB", ErrTooLarge)
	}
	le := binary.LittleEndian
	at, size, count := a.out.n, len(a.central), uint16(a.count)
	var end []byte
	if a.count >= math.MaxUint16 { // 4.3.14 and 4.3.15: a count of 65,535 means that it stands there
		count = math.MaxUint16
		end = le.AppendUint64(le.AppendUint32(nil, end64Header), 44) // of the rest of this record
		end = le.AppendUint16(le.AppendUint16(end, unix|version64), version64)
		end = le.AppendUint64(end, 0) // disks
		end = le.AppendUint64(le.AppendUint64(end, uint64(a.count)), uint64(a.count))
		end = le.AppendUint64(le.AppendUint64(end, uint64(size)), uint64(at))
		end = le.AppendUint32(le.AppendUint32(end, end64Locator), 0)
		end = le.AppendUint32(le.AppendUint64(end, uint64(at)+uint64(size)), 1)
	}
	end = le.AppendUint32(end, endHeader)
	end = le.AppendUint32(end, 0) // disks
	end = le.AppendUint16(le.AppendUint16(end, count), count)
	end = le.AppendUint32(end, uint32(size))
	end = le.AppendUint32(end, uint32(at))
	end = le.AppendUint16(end, 0) // comment
	_, err := a.out.Write(append(a.central, end...))
	return err
}

// widen lets everybody read, and run or search, what the owner can: Lambda runs
// a function as an unprivileged user who owns none of its files. Setuid and
// setgid mean nothing there (nosuid) and are dropped.
func widen(m fs.FileMode) fs.FileMode {
	m &= fs.ModePerm
	owner := m >> 6 & 0o5
	return m | owner<<3 | owner
}
