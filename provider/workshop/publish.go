package workshop

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// openBase opens the image that a reference names, for a processor.
func openBase(ctx context.Context, ref, arch string, insecure []string) (v1.Image, error) {
	if ref == noBase {
		return emptyBase()
	}
	if dir, ok := strings.CutPrefix(ref, "oci:"); ok {
		img, err := openLayout(dir, arch)
		if err != nil {
			return nil, fmt.Errorf("open base %s: %w", ref, err)
		}
		return img, nil
	}
	parsed, err := parse(ref, insecure)
	if err != nil {
		return nil, fmt.Errorf("open base %s: %w", ref, err)
	}
	img, err := remote.Image(parsed, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
	if err != nil {
		return nil, fmt.Errorf("open base %s: %w: --base names another, oci:DIR one on this machine", ref, err)
	}
	return img, nil
}

func parse(ref string, insecure []string) (name.Reference, error) {
	options := []name.Option{}
	host, _, _ := strings.Cut(ref, "/")
	if slices.Contains(insecure, host) {
		options = append(options, name.Insecure)
	}
	return name.ParseReference(strings.TrimPrefix(ref, "docker://"), options...)
}

// openLayout opens an image of an OCI layout, DIR or DIR:ref.
func openLayout(dir, arch string) (v1.Image, error) {
	ref := ""
	if _, err := os.Stat(dir); err != nil {
		if at := strings.LastIndexByte(dir, ':'); at > 0 {
			dir, ref = dir[:at], dir[at+1:]
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	return chooseImage(index, ref, arch)
}

// refName is the annotation of a layout's index that holds an image's tag (OCI
// image specification, annotations.md).
const refName = "org.opencontainers.image.ref.name"

// chooseImage finds the image of a name and processor, in an index and those
// below it.
func chooseImage(index v1.ImageIndex, ref, arch string) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, d := range manifest.Manifests {
		if ref != "" && d.Annotations[refName] != ref || d.Platform != nil && d.Platform.Architecture != arch {
			continue
		}
		if !d.MediaType.IsIndex() {
			return index.Image(d.Digest)
		}
		below, err := index.ImageIndex(d.Digest)
		if err != nil {
			return nil, err
		}
		if img, err := chooseImage(below, "", arch); err == nil {
			return img, nil
		}
	}
	return nil, fmt.Errorf("no image for linux/%s in it", arch)
}

// WriteLayout writes an image as an OCI layout that holds it alone, by its tag when
// it has one. A folder that is there is replaced; one that is no OCI layout is not
// touched.
func WriteLayout(dir, tag string, img v1.Image) error {
	if _, err := os.Stat(dir); err == nil {
		if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
			return fmt.Errorf("write image to %s: it is there and is no OCI layout", dir)
		}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("write image to %s: %w", dir, err)
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), ".image-")
	if err != nil {
		return fmt.Errorf("write image to %s: %w", dir, err)
	}
	made, err := layout.Write(work, empty.Index)
	if err == nil {
		var named []layout.Option
		if tag != "" {
			named = append(named, layout.WithAnnotations(map[string]string{refName: tag}))
		}
		err = made.AppendImage(img, named...)
	}
	if err == nil {
		err = errors.Join(os.Chmod(work, 0o755), os.RemoveAll(dir), os.Rename(work, dir))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write image to %s: %w", dir, err), os.RemoveAll(work))
	}
	return nil
}

// Push compresses an image's own layers and sends it to a registry. It returns
// the reference with the digest.
func Push(ctx context.Context, ref string, img v1.Image, insecure []string) (string, error) {
	parsed, err := parse(ref, insecure)
	if err != nil {
		return "", fmt.Errorf("push %s: %w", ref, err)
	}
	if img, err = Compress(img); err != nil {
		return "", fmt.Errorf("push %s: %w", ref, err)
	}
	if err := remote.Write(parsed, img, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return "", fmt.Errorf("push %s: %w", ref, err)
	}
	digest, err := img.Digest()
	return parsed.Context().Digest(digest.String()).String(), err
}

// Compress returns the image with every layer compressed, by the same bytes for
// the same layer. Layers that are compressed stay as they are.
func Compress(img v1.Image) (v1.Image, error) {
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	all, err := img.Layers()
	if err != nil {
		return nil, err
	}
	out := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	out = mutate.ConfigMediaType(out, types.OCIConfigJSON)
	for _, l := range all {
		if l, err = compressed(l); err != nil {
			return nil, err
		}
		if out, err = mutate.AppendLayers(out, l); err != nil {
			return nil, err
		}
	}
	return mutate.ConfigFile(out, file)
}

func compressed(l v1.Layer) (v1.Layer, error) {
	media, err := l.MediaType()
	if err != nil || media != types.OCIUncompressedLayer && media != types.DockerUncompressedLayer {
		return l, err
	}
	r, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err = io.Copy(w, r)
	if err = errors.Join(err, w.Close(), r.Close()); err != nil {
		return nil, err
	}
	diff, err := l.DiffID()
	if err != nil {
		return nil, err
	}
	return deflated{Layer: static.NewLayer(out.Bytes(), types.OCILayer), plain: l, diff: diff}, nil
}

// deflated is a compressed layer that knows what it was.
type deflated struct {
	v1.Layer
	plain v1.Layer
	diff  v1.Hash
}

// Uncompressed implements v1.Layer.
func (d deflated) Uncompressed() (io.ReadCloser, error) { return d.plain.Uncompressed() }

// DiffID implements v1.Layer.
func (d deflated) DiffID() (v1.Hash, error) { return d.diff, nil }
