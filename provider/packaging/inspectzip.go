package packaging

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/layers/bundle"
	"github.com/faas-lambda/faas-lambda/layers/relocate"
	"github.com/faas-lambda/faas-lambda/layers/relocate/elfedit"
)

// maxLaunch bounds the launch spec that is read from a zip.
const maxLaunch = 1 << 20

// InspectZip looks at a zip for Lambda: one that was made here, or any other.
func InspectZip(name string) (found Inspection, err error) {
	found = Inspection{Kind: "zip", Reference: name, Expected: Expected{Type: Zip, Reason: "it is one"}}
	file, err := os.Open(name)
	if err != nil {
		return found, fmt.Errorf("inspect zip: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := sha256.New()
	if found.Expected.Zipped, err = io.Copy(sum, file); err != nil {
		return found, fmt.Errorf("inspect zip %s: %w", name, err)
	}
	found.Expected.SHA256 = base64.StdEncoding.EncodeToString(sum.Sum(nil))
	z, err := zip.NewReader(file, found.Expected.Zipped)
	if err != nil {
		return found, fmt.Errorf("inspect zip %s: %w", name, err)
	}
	names := map[string]*zip.File{}
	for _, f := range z.File {
		names[strings.TrimSuffix(f.Name, "/")] = f
		if err := found.entry(f); err != nil {
			return found, fmt.Errorf("inspect zip %s: %s: %w", name, f.Name, err)
		}
	}
	if err := found.launch(names); err != nil {
		return found, fmt.Errorf("inspect zip %s: %w", name, err)
	}
	found.Largest, found.Limits = largest(found.Largest), limits(found.Expected)
	if found.Expected.Unzipped >= bundle.MaxUnzipped {
		found.Unmoved = append(found.Unmoved, Problem{Path: name, Reason: fmt.Sprintf("Unzipped size must be smaller than %d bytes", int64(bundle.MaxUnzipped))})
	}
	return found, nil
}

// entry counts an entry and looks at what it is.
func (i *Inspection) entry(f *zip.File) error {
	e := &i.Expected
	switch mode := f.Mode(); {
	case mode.IsDir():
		e.Dirs++
	case mode&fs.ModeSymlink != 0:
		e.Symlinks++
	case mode.IsRegular():
		e.Files++
		e.Unzipped += int64(min(f.UncompressedSize64, 1<<62))                                                  //nolint:gosec // bounded
		i.Largest = append(i.Largest, LargeFile{Path: f.Name, Bytes: int64(min(f.UncompressedSize64, 1<<62))}) //nolint:gosec // bounded
		return i.program(f)
	default:
		i.Unmoved = append(i.Unmoved, Problem{Path: f.Name, Reason: "neither file, directory nor link"})
	}
	return nil
}

// program tells what starts a file: its loader or interpreter, in the package or
// outside.
func (i *Inspection) program(f *zip.File) (err error) {
	if f.UncompressedSize64 == 0 {
		return nil
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	head := make([]byte, 256)
	n, err := io.ReadFull(r, head)
	if err := r.Close(); err != nil {
		return err
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	head = head[:n]
	switch {
	case elfedit.IsELF(head):
		info, err := elfedit.Read(f.Open, int64(min(f.UncompressedSize64, 1<<62))) //nolint:gosec // bounded
		if err != nil || info.Interp == "" {
			return nil //nolint:nilerr // a damaged file is a file
		}
		// relocate leaves the old path where the loader looks, and the new one
		// where the kernel does.
		if strings.HasPrefix(info.Interp, root+"/") {
			i.Moved.Programs = append(i.Moved.Programs, f.Name)
		} else if info.Soname == "" {
			i.Unmoved = append(i.Unmoved, Problem{Path: f.Name, Reason: "starts through the host's " + info.Interp})
		}
	case bytes.HasPrefix(head, []byte("#!")) && f.Mode()&0o111 != 0:
		line, _, _ := bytes.Cut(head[2:], []byte("\n"))
		words := strings.Fields(string(line))
		if len(words) == 0 {
			return nil
		}
		if strings.HasPrefix(words[0], root+"/") {
			i.Moved.Scripts = append(i.Moved.Scripts, f.Name)
		} else {
			i.Unmoved = append(i.Unmoved, Problem{Path: f.Name, Reason: "starts through the host's " + words[0]})
		}
	}
	return nil
}

// launch reads how the function starts.
func (i *Inspection) launch(names map[string]*zip.File) (err error) {
	start := names["bootstrap"]
	f, ours := names[launch.File]
	switch {
	case start == nil && !ours:
		i.Expected.Reason = "it has no bootstrap: it is for one of Lambda's own runtimes"
		return nil
	case start != nil && start.Mode()&0o111 == 0:
		i.Unmoved = append(i.Unmoved, Problem{Path: "bootstrap", Reason: "not executable"})
	}
	if !ours {
		i.Expected.Reason = "it brings its own bootstrap, which is not ours"
		return nil
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data, err := io.ReadAll(io.LimitReader(r, maxLaunch))
	if err != nil {
		return fmt.Errorf("read %s: %w", launch.File, err)
	}
	spec, err := launch.Parse(data)
	if err != nil {
		return err
	}
	i.Digest, i.Watchdog, i.Command, i.Dir, i.Env = spec.Image, string(spec.Watchdog), spec.Command, spec.Dir, spec.Env
	for _, loader := range []struct{ file, kind string }{{".ldso", "glibc"}, {".ldmusl.path", "musl"}} {
		if names[loader.file] != nil {
			i.Moved.Loaders = append(i.Moved.Loaders, relocate.Loader{Path: path.Base(loader.file), Kind: loader.kind, Programs: len(i.Moved.Programs)})
		}
	}
	return nil
}
