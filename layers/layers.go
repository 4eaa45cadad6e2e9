// Package layers is the vocabulary of the build half, from an image's layers to
// the package that Lambda unpacks: Layer, Entry, Tree and Start. It reads and
// writes nothing itself; its subpackages each turn one of these into the next.
package layers

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// Errors of lookups in a Tree. What is missing is fs.ErrNotExist.
var (
	// ErrLoop says that a path leads through more symbolic links than Linux
	// follows.
	ErrLoop = errors.New("too many levels of symbolic links")
	// ErrNotDir says that a path leads through something that is no directory.
	ErrNotDir = errors.New("not a directory")
	// ErrInvalid says that entries do not make a tree.
	ErrInvalid = errors.New("invalid tree")
)

// Config is what an image says about itself and how it is started, as far as a
// package needs it.
type Config struct {
	Arch       string // amd64 or arm64, as Go and OCI name them
	Entrypoint []string
	Cmd        []string
	Env        []string // NAME=value, in the image's order
	Dir        string   // WORKDIR; empty means /
	User       string   // USER; Lambda ignores it
	Labels     map[string]string
}

// Layer is one layer of an image as its registry keeps it.
type Layer struct {
	Digest    string // of the blob, "sha256:…"
	DiffID    string // of the uncompressed tar; empty when the image does not say
	MediaType string // as the manifest says; not to be relied on
	Size      int64  // of the blob in bytes
	// Open returns the blob. Whoever reads it to its end without an error has
	// read exactly Size bytes whose digest is Digest. Layers may be open and
	// read at the same time; the caller closes the reader.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Type is the type of an Entry.
type Type uint8

// The types of entries. A hard link is a File of its own that shares its
// Content; devices, pipes and sockets never get into a Tree.
const (
	Dir Type = iota
	File
	Symlink
)

// Entry is one file, directory or symbolic link of a Tree. Its Path is clean,
// relative, separated by slashes and never ".": the root is no entry.
type Entry struct {
	Path    string
	Type    Type
	Mode    fs.FileMode // permissions, and fs.ModeSetuid, fs.ModeSetgid and fs.ModeSticky
	Size    int64       // of a File's content in bytes
	ModTime uint32      // of a File in the image, in seconds since 1970, modulo 2^32; 0 when not known. Packages do not keep it
	Link    string      // target of a Symlink, as written
	Content Content     // of a File, never nil
}

// LeftOut is something of the image that is not in the package, and why: what
// cannot be in a Lambda package is reported, never dropped in silence.
type LeftOut struct {
	Path   string
	Layer  string // digest of the layer it came from, when one is known
	Reason string
}

// Start is how the program of a package is started. Paths in it are those of
// the package as Lambda unpacks it.
type Start struct {
	Watchdog string   // one of the Watchdog constants
	Command  []string // ENTRYPOINT and CMD
	Dir      string   // working directory, absolute
	Env      []string // NAME=value, every name once
}

// The watchdogs that an image may have been made for. The values are those of
// bootstrap/launch.
const (
	OfWatchdog      = "of-watchdog"
	ClassicWatchdog = "classic-watchdog"
	NoWatchdog      = "none"
)

// Progress is told how far a piece of work has come. It may be called from
// several goroutines at once and must return quickly.
type Progress func(Step)

// Step is one report of progress: Done of Total bytes of a stage's part.
type Step struct {
	Stage string // one of the Stage constants
	Part  int    // which layer, counted from the lowest as 0; 0 for StageWrite
	Parts int    // how many there are
	Name  string // digest of the layer; empty for StageWrite
	Done  int64
	Total int64
}

// The stages of making a package: layers are read (bytes of the compressed
// blobs), then the package is written (bytes of content, uncompressed).
const (
	StageRead  = "read"
	StageWrite = "write"
)
