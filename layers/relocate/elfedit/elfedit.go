// Package elfedit reads from an ELF file what matters to its loader, and makes
// edited copies of files without holding them in memory. It knows nothing of
// images; it reads 64-bit little-endian files, which is all that runs on Lambda.
//
// Layouts are those of the ELF-64 Object File Format 1.5 and of the System V
// gABI, chapter 5 (Dynamic Section).
package elfedit

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Errors of Read, for errors.Is.
var (
	// ErrDamaged says that a file begins like an ELF file and is none.
	ErrDamaged = errors.New("damaged ELF file")
	// ErrClass says that a file is not 64-bit little-endian.
	ErrClass = errors.New("not a 64-bit little-endian ELF file")
)

// Sizes and bounds. No linker comes near the bounds; a file that does is hostile.
const (
	headerSize   = 64
	segmentSize  = 56
	dynamicSize  = 16
	maxSegments  = 128
	maxString    = 4096
	maxNotes     = 4096
	maxDynamic   = 1 << 20
	maxStrings   = 64 << 20
	maxLibraries = 4096
)

// Info is what an ELF file says about how it is loaded.
type Info struct {
	Machine elf.Machine `json:"m"`
	Type    elf.Type    `json:"t"`
	Interp  string      `json:"i,omitempty"` // the loader that PT_INTERP names; empty for libraries and static programs
	Dynamic bool        `json:"d,omitempty"` // has a dynamic section
	Soname  string      `json:"s,omitempty"`
	Needed  []string    `json:"n,omitempty"`
	Runpath []string    `json:"r,omitempty"` // directories of DT_RPATH and DT_RUNPATH, as written
	Go      bool        `json:"g,omitempty"` // made by Go's linker

	InterpAt  int64   `json:"ia,omitempty"` // file offset of the PT_INTERP program header
	RunpathAt []int64 `json:"ra,omitempty"` // file offsets of the DT_RPATH and DT_RUNPATH entries
}

// IsELF reports whether a file that begins so is an ELF file.
func IsELF(head []byte) bool { return bytes.HasPrefix(head, []byte(elf.ELFMAG)) }

// Read reads the file of size bytes that open opens. Mostly one pass goes as
// far as the dynamic section and no further; memory is bounded whatever the file.
func Read(open func() (io.ReadCloser, error), size int64) (_ Info, err error) {
	w := &window{open: open, size: size}
	defer func() { err = errors.Join(err, w.close()) }()
	head, err := w.bytes(0, headerSize)
	if err != nil {
		return Info{}, err
	}
	if !IsELF(head) {
		return Info{}, fmt.Errorf("%w: no ELF header", ErrDamaged)
	}
	info := Info{
		Type:    elf.Type(binary.LittleEndian.Uint16(head[16:])),
		Machine: elf.Machine(binary.LittleEndian.Uint16(head[18:])),
	}
	if elf.Data(head[elf.EI_DATA]) != elf.ELFDATA2LSB || elf.Class(head[elf.EI_CLASS]) != elf.ELFCLASS64 {
		return info, fmt.Errorf("%w: %v %v", ErrClass, elf.Class(head[elf.EI_CLASS]), elf.Data(head[elf.EI_DATA]))
	}
	segments, err := readSegments(w, head)
	if err != nil {
		return Info{}, err
	}
	for _, s := range segments {
		switch s.kind {
		case elf.PT_INTERP:
			info.InterpAt = s.at
			info.Interp, err = readInterp(w, s)
		case elf.PT_NOTE:
			info.Go = info.Go || isGo(w, s)
		case elf.PT_DYNAMIC:
			info.Dynamic = true
			err = info.readDynamic(w, s, segments)
		}
		if err != nil {
			return Info{}, err
		}
	}
	if !info.Go && !info.Dynamic && info.Interp == "" {
		info.Go = hasBuildInfo(w, segments)
	}
	return info, nil
}

// segment is an entry of the program header table; at is where it stands.
type segment struct {
	kind           elf.ProgType
	flags          elf.ProgFlag
	at             int64
	offset, length int64 // in the file
	address        uint64
}

// readSegments returns the program headers, those that are read first in the
// file first, so that one pass serves them.
func readSegments(w *window, head []byte) ([]segment, error) {
	offset := int64(binary.LittleEndian.Uint64(head[32:]))
	size, count := binary.LittleEndian.Uint16(head[54:]), int64(binary.LittleEndian.Uint16(head[56:]))
	if count == 0 {
		return nil, nil // an object file or the like
	}
	if size != segmentSize || count > maxSegments {
		return nil, fmt.Errorf("%w: %d program headers of %d bytes", ErrDamaged, count, size)
	}
	table, err := w.bytes(offset, count*segmentSize)
	if err != nil {
		return nil, err
	}
	list := make([]segment, 0, count)
	for i := range count {
		h := table[i*segmentSize:]
		list = append(list, segment{
			kind: elf.ProgType(binary.LittleEndian.Uint32(h)), flags: elf.ProgFlag(binary.LittleEndian.Uint32(h[4:])), at: offset + i*segmentSize,
			offset:  int64(binary.LittleEndian.Uint64(h[8:])),
			address: binary.LittleEndian.Uint64(h[16:]),
			length:  int64(binary.LittleEndian.Uint64(h[32:])),
		})
	}
	return list, nil
}

func readInterp(w *window, s segment) (string, error) {
	if s.length < 2 || s.length > maxString {
		return "", fmt.Errorf("%w: name of the loader has %d bytes", ErrDamaged, s.length)
	}
	name, err := w.bytes(s.offset, s.length)
	if err != nil {
		return "", err
	}
	text, _, _ := strings.Cut(string(name), "\x00")
	return text, nil
}

// isGo finds the note with which Go's linker marks its programs (cmd/link,
// ELF note "Go", build id).
func isGo(w *window, s segment) bool {
	if s.length > maxNotes {
		return false
	}
	notes, err := w.bytes(s.offset, s.length)
	return err == nil && bytes.Contains(notes, []byte("Go\x00\x00"))
}

// buildInfo begins what Go's linker writes at the start of the data of a program,
// also of one without a build id (debug/buildinfo).
const buildInfo = "\xff Go buildinf:"

func hasBuildInfo(w *window, segments []segment) bool {
	for _, s := range segments {
		if s.kind != elf.PT_LOAD || s.flags&elf.PF_W == 0 || s.length < int64(len(buildInfo)) {
			continue
		}
		start, err := w.bytes(s.offset, int64(len(buildInfo)))
		return err == nil && string(start) == buildInfo
	}
	return false
}

// readDynamic reads the dynamic section and the strings that it names.
func (info *Info) readDynamic(w *window, s segment, segments []segment) error {
	if s.length < 0 || s.length > maxDynamic {
		return fmt.Errorf("%w: dynamic section of %d bytes", ErrDamaged, s.length)
	}
	table, err := w.bytes(s.offset, s.length-s.length%dynamicSize)
	if err != nil {
		return err
	}
	var (
		strtab  uint64
		soname  []int64
		needed  []int64
		runpath []int64
	)
	table = bytes.Clone(table) // the window moves
	for at := s.offset; len(table) > 0; at, table = at+dynamicSize, table[dynamicSize:] {
		value := binary.LittleEndian.Uint64(table[8:])
		switch elf.DynTag(binary.LittleEndian.Uint64(table)) {
		case elf.DT_STRTAB:
			strtab = value
		case elf.DT_SONAME:
			soname = append(soname[:0], int64(value))
		case elf.DT_NEEDED:
			needed = append(needed, int64(value))
		case elf.DT_RPATH, elf.DT_RUNPATH:
			runpath = append(runpath, int64(value))
			info.RunpathAt = append(info.RunpathAt, at)
		}
		if elf.DynTag(binary.LittleEndian.Uint64(table)) == elf.DT_NULL {
			break
		}
	}
	if len(needed) > maxLibraries || len(runpath) > maxLibraries {
		return fmt.Errorf("%w: %d libraries", ErrDamaged, len(needed))
	}
	names, err := readStrings(w, fileOffset(segments, strtab), append(append(append([]int64{}, soname...), needed...), runpath...))
	if err != nil {
		return err
	}
	if len(soname) > 0 {
		info.Soname, names = names[0], names[1:]
	}
	if len(needed) > 0 {
		info.Needed = names[:len(needed):len(needed)]
	}
	for _, list := range names[len(needed):] {
		info.Runpath = append(info.Runpath, strings.Split(list, ":")...)
	}
	return nil
}

// fileOffset is where the byte at a virtual address stands in the file, or -1.
func fileOffset(segments []segment, address uint64) int64 {
	for _, s := range segments {
		if s.kind == elf.PT_LOAD && address >= s.address && address-s.address < uint64(s.length) {
			return s.offset + int64(address-s.address)
		}
	}
	return -1
}

// readStrings returns the strings at offsets from the table at base.
func readStrings(w *window, base int64, offsets []int64) ([]string, error) {
	if len(offsets) == 0 {
		return nil, nil
	}
	low, high := offsets[0], offsets[0]
	for _, o := range offsets {
		low, high = min(low, o), max(high, o)
	}
	if base < 0 || low < 0 || high > maxStrings || high-low > maxStrings {
		return nil, fmt.Errorf("%w: strings of the dynamic section are out of bounds", ErrDamaged)
	}
	table, err := w.atMost(base+low, high-low+maxString)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(offsets))
	for i, o := range offsets {
		if o-low >= int64(len(table)) {
			return nil, fmt.Errorf("%w: a string of the dynamic section is behind the end", ErrDamaged)
		}
		name, _, ended := bytes.Cut(table[o-low:], []byte{0})
		if !ended || len(name) >= maxString {
			return nil, fmt.Errorf("%w: a string of the dynamic section has no end", ErrDamaged)
		}
		out[i] = string(name)
	}
	return out, nil
}
