package ldso

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers/relocate/elfedit"
)

// ErrUnknown says that a loader does not hold the strings that are known.
var ErrUnknown = errors.New("loader is of no known kind")

// Kind is a family of dynamic loaders.
type Kind string

// The kinds of loaders.
const (
	Glibc Kind = "glibc"
	Musl  Kind = "musl"
)

// Names of the files that a moved loader reads in place of those in /etc,
// relative to the prefix. They are this short because they must fit where the
// loader holds the longer names.
const (
	CacheFile   = ".ldso"        // glibc: instead of /etc/ld.so.cache
	PreloadFile = ".ldpre"       // glibc: instead of /etc/ld.so.preload
	PathFile    = ".ldmusl.path" // musl: instead of /etc/ld-musl-ARCH.path
)

// MaxLoader bounds a loader that is read into memory. glibc's has 250 KB; musl's
// is its whole C library, 850 KB, 4 MB with debugging symbols.
const MaxLoader = 16 << 20

// cacheName and preloadName are how glibc's loader holds the names of its files
// (elf/dl-cache.c, elf/rtld.c).
const (
	cacheName   = "/etc/ld.so.cache"
	preloadName = "/etc/ld.so.preload"
)

// muslName is the format string by which musl's loader makes the name of its
// file (ldso/dynlink.c, load_library): the prefix is empty when the loader lies
// in /lib, and the buffer has room for just that name.
func muslName(machine elf.Machine) string {
	switch machine {
	case elf.EM_X86_64:
		return "%.*s/etc/ld-musl-x86_64.path"
	case elf.EM_AARCH64:
		return "%.*s/etc/ld-musl-aarch64.path"
	}
	return ""
}

// systemDirs are the directories that glibc's loader searches last, in the
// orders in which distributions compile them in: they are the host's. The
// loader keeps their lengths elsewhere, so their replacements are as long.
func systemDirs(machine elf.Machine) [][]string {
	triplet := "x86_64-linux-gnu"
	if machine == elf.EM_AARCH64 {
		triplet = "aarch64-linux-gnu"
	}
	return [][]string{
		{"/lib/" + triplet + "/", "/usr/lib/" + triplet + "/", "/lib/", "/usr/lib/"}, // Debian, Ubuntu
		{"/lib64/", "/usr/lib64/"}, // Fedora, RHEL, Amazon Linux, SUSE
		{"/lib/", "/usr/lib/"},     // Arch
	}
}

// KindOf tells the kind of a loader by the name that programs know it by.
func KindOf(interp string) (Kind, bool) {
	base := path.Base(interp)
	switch {
	case strings.HasPrefix(base, "ld-linux"):
		return Glibc, true
	case strings.HasPrefix(base, "ld-musl-"):
		return Musl, true
	}
	return "", false
}

// Patch is how a loader is changed.
type Patch struct {
	Edits      []elfedit.Edit
	SystemDirs []string // that the loader searched last, and does no more
}

// PatchLoader returns what makes a loader read its configuration below prefix
// and search none of the host's directories. Strings are matched exactly as they
// are known, with the NULs around them: they are no interface, and a loader that
// holds anything else is refused with ErrUnknown.
func PatchLoader(kind Kind, machine elf.Machine, loader []byte, prefix string) (Patch, error) {
	if kind == Musl {
		// The string becomes a format without directives: what follows is ignored.
		name := muslName(machine)
		if strings.Contains(prefix, "%") || len(prefix)+len("/"+PathFile) > len(name)-len("%.*s") {
			return Patch{}, fmt.Errorf("%w: there is no room for %s/%s", ErrUnknown, prefix, PathFile)
		}
		edits, err := replace(nil, loader, name, prefix+"/"+PathFile)
		return Patch{Edits: edits}, err
	}
	edits, err := replace(nil, loader, cacheName, prefix+"/"+CacheFile)
	if err != nil {
		return Patch{}, err
	}
	if edits, err = replace(edits, loader, preloadName, prefix+"/"+PreloadFile); err != nil {
		return Patch{}, err
	}
	hidden, dirs, err := hideSystemDirs(machine, loader)
	if err != nil {
		return Patch{}, err
	}
	return Patch{Edits: append(edits, hidden...), SystemDirs: dirs}, nil
}

// replace appends the edit that overwrites the one place where a loader holds a
// string.
func replace(edits []elfedit.Edit, loader []byte, from, to string) ([]elfedit.Edit, error) {
	if len(to) > len(from) {
		return nil, fmt.Errorf("%w: there is no room for %s in place of %s", ErrUnknown, to, from)
	}
	pattern := []byte("\x00" + from + "\x00")
	at := bytes.Index(loader, pattern)
	if at < 0 {
		return nil, fmt.Errorf("%w: it does not hold the string %q", ErrUnknown, from)
	}
	if bytes.Contains(loader[at+1:], pattern) {
		return nil, fmt.Errorf("%w: it holds the string %q twice", ErrUnknown, from)
	}
	return append(edits, elfedit.Edit{At: int64(at) + 1, Bytes: padded(to, len(from))}), nil
}

// hideSystemDirs returns the edits that give every copy of the list of system
// directories names that no system has, and that list: /... stands in place of
// /lib and /usr. What the image has in its own directories of these names is in
// the cache.
func hideSystemDirs(machine elf.Machine, loader []byte) ([]elfedit.Edit, []string, error) {
	for _, dirs := range systemDirs(machine) {
		pattern := []byte(strings.Join(dirs, "\x00") + "\x00")
		hidden := slices.Clone(pattern)
		for i, c := range pattern {
			if c == '/' && (i == 0 || pattern[i-1] == 0) {
				copy(hidden[i+1:], "...")
			}
		}
		var edits []elfedit.Edit
		for at := 0; ; at += len(pattern) {
			i := bytes.Index(loader[at:], pattern)
			if i < 0 {
				break
			}
			at += i
			edits = append(edits, elfedit.Edit{At: int64(at), Bytes: hidden})
		}
		if len(edits) > 0 {
			return edits, dirs, nil
		}
	}
	return nil, nil, fmt.Errorf("%w: it does not hold the directories that Debian's, Fedora's and their kin's search", ErrUnknown)
}

func padded(s string, n int) []byte {
	b := make([]byte, n)
	copy(b, s)
	return b
}
