package workshop

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// files are the content of a layer, by their paths in the image.
type files map[string]file

// file is one of them: a directory, a link, or a file.
type file struct {
	mode int64
	data []byte
	link string
	dir  bool
}

func text(s string) file { return file{mode: 0o644, data: []byte(s)} }

// add reads a folder of this machine into the layer, below to. Names in without
// are left out at its top, and compiled modules of Python everywhere: they would
// say when they were compiled.
func (l files) add(from, to string, without ...string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		at := path.Join(to, filepath.ToSlash(rel))
		switch {
		case d.IsDir() && (d.Name() == "__pycache__" || slices.Contains(without, rel)):
			return filepath.SkipDir
		case d.IsDir():
			l[at] = file{mode: 0o755, dir: true}
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			if err == nil {
				l[at] = file{mode: 0o777, link: target}
			}
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		l[at] = file{mode: int64(mode(info.Mode())), data: data}
		return err
	})
}

// tar returns the layer as an archive: sorted, without times and owners.
func (l files) tar() ([]byte, error) {
	all := maps.Clone(l)
	for name := range l {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := all[dir]; !ok {
				all[dir] = file{mode: 0o755, dir: true}
			}
		}
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		h := &tar.Header{Name: name, Mode: f.mode, Size: int64(len(f.data)), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		switch {
		case f.dir:
			h.Name, h.Typeflag = name+"/", tar.TypeDir
		case f.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("write layer, %s: %w", name, err)
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, fmt.Errorf("write layer, %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil { // it writes the archive's end
		return nil, fmt.Errorf("write layer: %w", err)
	}
	return out.Bytes(), nil
}

// appendLayers puts layers on an image. They are not compressed: an image that
// stays on this machine is read at once, and Publish compresses what it sends.
func appendLayers(img v1.Image, all []files) (v1.Image, error) {
	for _, l := range all {
		if len(l) == 0 {
			continue
		}
		data, err := l.tar()
		if err != nil {
			return nil, err
		}
		media, err := uncompressed(img)
		if err != nil {
			return nil, err
		}
		if img, err = mutate.Append(img, mutate.Addendum{Layer: static.NewLayer(data, media), History: v1.History{CreatedBy: "faas-lambda build"}}); err != nil {
			return nil, fmt.Errorf("append layer: %w", err)
		}
	}
	return img, nil
}

// uncompressed is the media type of a layer for an image of that family.
func uncompressed(img v1.Image) (types.MediaType, error) {
	media, err := img.MediaType()
	if err != nil {
		return "", fmt.Errorf("read base image: %w", err)
	}
	if media == types.DockerManifestSchema2 {
		return types.DockerUncompressedLayer, nil
	}
	return types.OCIUncompressedLayer, nil
}
