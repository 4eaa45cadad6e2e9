// Package ldso knows the dynamic loaders of glibc and musl: the cache in which
// glibc's looks libraries up, and the strings by which both find their
// configuration. It writes caches for any processor on any host.
package ldso

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrCache says that bytes are no cache of the format glibc-ld.so.cache1.1.
var ErrCache = errors.New("invalid ld.so.cache")

// Layout of the cache (glibc, sysdeps/generic/dl-cache.h): a header, entries of
// a fixed size, strings. Offsets of strings are from the file's beginning.
const (
	magic        = "glibc-ld.so.cache1.1"
	headerSize   = 48
	entrySize    = 24
	littleEndian = 2 // cache_file_new_flags_endian_little
	maxEntries   = 1 << 20
)

// What the flags of an entry say: a library for libc.so.6, and of which ABI.
const (
	flagLibc6 = 0x0003
	flagAMD64 = 0x0300
	flagARM64 = 0x0a00
)

// Library is an entry of a cache: the name that programs ask for, and where the
// library lies.
type Library struct{ Name, Path string }

// Flags returns the flags of a processor's libraries; ok is false for a
// processor that is not Lambda's.
func Flags(machine elf.Machine) (flags uint32, ok bool) {
	switch machine {
	case elf.EM_X86_64:
		return flagLibc6 | flagAMD64, true
	case elf.EM_AARCH64:
		return flagLibc6 | flagARM64, true
	}
	return 0, false
}

// Cacheable reports whether a library's name can be in a cache. The loader
// compares characters as its processor's C does, signed or not, so that names
// beyond ASCII have no order; and digits as numbers of 32 bits.
func Cacheable(name string) bool {
	digits := 0
	for _, c := range []byte(name) {
		switch {
		case c == 0 || c == '/' || c >= 0x80:
			return false
		case isDigit(c):
			digits++
		default:
			digits = 0
		}
		if digits > 9 {
			return false
		}
	}
	return name != ""
}

// Write returns a cache of libraries. Of a name that occurs twice the first
// counts. Names must be Cacheable and paths hold no NUL.
func Write(machine elf.Machine, list []Library) ([]byte, error) {
	flags, ok := Flags(machine)
	if !ok {
		return nil, fmt.Errorf("write ld.so.cache: no flags are known for %v", machine)
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Library) int { return Compare(b.Name, a.Name) })
	sorted = slices.CompactFunc(sorted, func(a, b Library) bool { return Compare(a.Name, b.Name) == 0 })
	offset := headerSize + entrySize*len(sorted)
	entries, text := make([]byte, 0, offset), []byte(nil)
	for _, l := range sorted {
		if !Cacheable(l.Name) || strings.ContainsRune(l.Path, 0) || l.Path == "" {
			return nil, fmt.Errorf("write ld.so.cache: library %q at %q cannot be in a cache", l.Name, l.Path)
		}
		// The name is the end of the path, mostly, and needs no bytes of its own.
		value := offset + len(text)
		text = append(append(text, l.Path...), 0)
		key := value + len(l.Path) - len(l.Name)
		if !strings.HasSuffix(l.Path, "/"+l.Name) {
			key = offset + len(text)
			text = append(append(text, l.Name...), 0)
		}
		entries = binary.LittleEndian.AppendUint32(entries, flags)
		entries = binary.LittleEndian.AppendUint32(entries, uint32(key))
		entries = binary.LittleEndian.AppendUint32(entries, uint32(value))
		entries = append(entries, make([]byte, 12)...) // OS version and hardware capabilities: any
	}
	out := append(make([]byte, 0, offset+len(text)), magic...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(sorted)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(text)))
	out = append(out, littleEndian)
	out = append(out, make([]byte, headerSize-len(out))...) // padding, no extensions, unused
	return append(append(out, entries...), text...), nil
}

// Read returns the entries of a cache, in its order, whatever their flags.
// Caches that begin with the older format are not read: no libc6 since 2.32
// writes them.
func Read(data []byte) ([]Library, error) {
	if len(data) < headerSize || !bytes.HasPrefix(data, []byte(magic)) {
		return nil, fmt.Errorf("%w: it does not begin with %s", ErrCache, magic)
	}
	count := int64(binary.LittleEndian.Uint32(data[len(magic):]))
	if count > maxEntries || headerSize+count*entrySize > int64(len(data)) {
		return nil, fmt.Errorf("%w: %d entries in %d bytes", ErrCache, count, len(data))
	}
	list := make([]Library, 0, count)
	for i := range count {
		e := data[headerSize+i*entrySize:]
		name, ok := stringAt(data, binary.LittleEndian.Uint32(e[4:]))
		path, ok2 := stringAt(data, binary.LittleEndian.Uint32(e[8:]))
		if !ok || !ok2 {
			return nil, fmt.Errorf("%w: entry %d points behind the end", ErrCache, i)
		}
		list = append(list, Library{name, path})
	}
	return list, nil
}

// maxName bounds the strings of a cache: PATH_MAX.
const maxName = 4096

func stringAt(data []byte, offset uint32) (string, bool) {
	if int64(offset) >= int64(len(data)) {
		return "", false
	}
	rest := data[offset:]
	text, _, ok := bytes.Cut(rest[:min(len(rest), maxName)], []byte{0})
	return string(text), ok
}

// Compare orders names as glibc's loader expects its cache to be ordered,
// downwards: byte by byte, but runs of digits by their number, and a digit
// after everything else. Names such as lib1.so and lib01.so are equal to it.
func Compare(a, b string) int {
	for a != "" && b != "" {
		switch {
		case isDigit(a[0]) && isDigit(b[0]):
			var x, y int
			x, a = number(a)
			y, b = number(b)
			if x != y {
				return x - y
			}
			continue
		case isDigit(a[0]):
			return 1
		case isDigit(b[0]):
			return -1
		case a[0] != b[0]:
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	switch {
	case a != "":
		return 1
	case b != "":
		return -1
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func number(s string) (n int, rest string) {
	for s != "" && isDigit(s[0]) {
		n, s = n*10+int(s[0]-'0'), s[1:]
	}
	return n, s
}
