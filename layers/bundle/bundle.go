// Package bundle writes a package for Lambda: a tree, the bootstrap and how it
// starts the function, as a zip whose bytes depend on nothing else. It moves
// and leaves out nothing; layers/relocate has done that.
package bundle

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/cache"
)

// Errors of Write, for errors.Is.
var (
	ErrTooLarge = errors.New("package is larger than Lambda takes")
	ErrReserved = errors.New("image has a file where the package needs its own")
)

// MaxUnzipped is what a package must stay below, unzipped: "Unzipped size must
// be smaller than 262144000 bytes" (recorded on the real service).
const MaxUnzipped = 262_144_000

// bootstrapFile is the program that Lambda starts in a custom runtime, at the
// root of the package.
const bootstrapFile = "bootstrap"

// Package is what goes into a zip.
type Package struct {
	Image     string          // digest of the image's manifest, for launch.json
	Root      string          // where Lambda unpacks the zip: launch.Root
	Tree      *layers.Tree    // already relocated to Root
	Start     layers.Start    // how the function starts there
	Bootstrap []byte          // the bootstrap program for the image's processor; nil when a Lambda layer has it
	Progress  layers.Progress // may be nil

	Cache   *cache.Cache // keeps what relocation changed, compressed; may be nil
	TempDir string       // where that goes without a cache; empty means os.TempDir
	Workers int          // how many goroutines compress; 0 means one a core
}

// Summary says what was written.
type Summary struct {
	Files, Dirs, Symlinks int    // with the bootstrap and launch.json
	Unzipped              int64  // bytes of all files, as Lambda counts them
	Zipped                int64  // bytes of the zip
	SHA256                string // of the zip in base64, as in Lambda's CodeSha256
}

// Write writes the zip to w. The same Package gives the same bytes, whenever
// and wherever. Nothing is written when the package cannot be one for Lambda.
func Write(ctx context.Context, w io.Writer, p Package) (Summary, error) {
	tree, err := p.complete()
	if err != nil {
		return Summary{}, err
	}
	sum := count(tree)
	if sum.Unzipped >= MaxUnzipped {
		return Summary{}, tooLarge(tree, sum.Unzipped)
	}
	if err := writeTree(ctx, w, tree, p, &sum); err != nil {
		return Summary{}, fmt.Errorf("write package: %w", err)
	}
	return sum, nil
}

// writeTree writes the zip of a tree and says in sum what it became.
func writeTree(ctx context.Context, w io.Writer, tree *layers.Tree, p Package, sum *Summary) (err error) {
	contents, err := compress(ctx, tree, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, contents.close()) }()
	out := newOutput(w)
	err = write(ctx, out, tree, contents, p.Progress, sum.Unzipped)
	if err = cmp.Or(out.close(), err); err != nil {
		return err
	}
	sum.Zipped, sum.SHA256 = out.n, out.sha256()
	return nil
}

// spec returns the bytes of launch.json.
func (p Package) spec() ([]byte, error) {
	return launch.Spec{
		Version: launch.Version, Image: p.Image, Root: p.Root,
		Watchdog: launch.Watchdog(p.Start.Watchdog),
		Command:  p.Start.Command, Dir: p.Start.Dir, Env: p.Start.Env,
	}.Marshal()
}

// complete returns the tree with bootstrap and launch.json in it.
func (p Package) complete() (*layers.Tree, error) {
	spec, err := p.spec()
	if err != nil {
		return nil, err
	}
	own := []layers.Entry{
		{Path: path.Dir(launch.File), Type: layers.Dir, Mode: 0o755},
		file(launch.File, 0o644, len(spec), content(spec)),
	}
	if p.Bootstrap != nil {
		own = append(own, bootstrapEntry(p.Bootstrap))
	}
	for _, e := range own {
		if _, ok := p.Tree.Get(e.Path); ok {
			return nil, fmt.Errorf("%w: /%s", ErrReserved, e.Path)
		}
	}
	entries := make([]layers.Entry, 0, p.Tree.Len()+len(own))
	for e := range p.Tree.All() {
		entries = append(entries, e)
	}
	tree, err := layers.NewTree(append(entries, own...))
	if err != nil {
		return nil, fmt.Errorf("complete package: %w", err)
	}
	return tree, nil
}

func bootstrapEntry(program []byte) layers.Entry {
	return file(bootstrapFile, 0o755, len(program), newProgram(program))
}

func count(tree *layers.Tree) Summary {
	var s Summary
	for e := range tree.All() {
		switch e.Type {
		case layers.Dir:
			s.Dirs++
		case layers.Symlink:
			s.Symlinks++
		case layers.File:
			s.Files++
			s.Unzipped += e.Size
		}
	}
	return s
}

func file(name string, mode fs.FileMode, size int, c layers.Content) layers.Entry {
	return layers.Entry{Path: name, Type: layers.File, Mode: mode, Size: int64(size), Content: c}
}

// content is a file's content in memory.
type content string

func (c content) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(c))), nil
}

// program is the bootstrap. It is the same in many packages, and so has a key.
type program struct {
	data []byte
	key  string
}

func newProgram(data []byte) program {
	sum := sha256.Sum256(data)
	return program{data: data, key: "sha256:" + hex.EncodeToString(sum[:])}
}

func (p program) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(p.data)), nil }

// Key implements layers.KeyedContent.
func (p program) Key() string { return p.key }
