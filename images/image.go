package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// made is an image for every processor, and what each is made of.
type made struct {
	index v1.ImageIndex
	boms  []v1.Image // referrers of the index' images
}

// image makes the image of a recipe for every processor.
func (o order) image(of recipe) (made, error) {
	out := made{}
	notes := o.annotations(of)
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range o.arches {
		path := filepath.Join(o.programs, "linux-"+arch, of.name)
		img, err := o.platform(of, arch, path, notes)
		if err != nil {
			return made{}, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
		bom, err := o.bom(img, path)
		if err != nil {
			return made{}, err
		}
		out.boms = append(out.boms, bom)
	}
	out.index = mutate.Annotations(index, notes).(v1.ImageIndex)
	return out, nil
}

// annotations are those of the image specification
// (github.com/opencontainers/image-spec, annotations.md).
func (o order) annotations(of recipe) map[string]string {
	out := map[string]string{
		"org.opencontainers.image.title":       of.name,
		"org.opencontainers.image.description": of.description,
		"org.opencontainers.image.version":     o.version,
		"org.opencontainers.image.created":     o.created.Format("2006-01-02T15:04:05Z07:00"),
		"org.opencontainers.image.licenses":    "MIT",
		"org.opencontainers.image.source":      "https://github.com/faas-lambda/faas-lambda",
	}
	if o.revision != "" {
		out["org.opencontainers.image.revision"] = o.revision
	}
	return out
}

// platform makes the image of one processor: what is always the same below, the
// program on top.
func (o order) platform(of recipe, arch, path string, notes map[string]string) (v1.Image, error) {
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	base, err := of.base()
	if err != nil {
		return nil, err
	}
	config := of.config
	config.Labels = notes
	img, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		&v1.ConfigFile{OS: "linux", Architecture: arch, Created: v1.Time{Time: o.created}, Config: config, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		return nil, err
	}
	for _, files := range [][]file{base, {{name: of.name, mode: 0o755, data: program}}} {
		if len(files) == 0 {
			continue
		}
		l, err := layer(files, o.created)
		if err != nil {
			return nil, err
		}
		img, err = mutate.Append(img, mutate.Addendum{Layer: l, History: v1.History{Created: v1.Time{Time: o.created}, CreatedBy: "make images"}})
		if err != nil {
			return nil, err
		}
	}
	return mutate.Annotations(img, notes).(v1.Image), nil
}

// bomType is CycloneDX' media type
// (www.iana.org/assignments/media-types, application/vnd.cyclonedx+json).
const bomType = "application/vnd.cyclonedx+json"

// bom makes the manifest that tells what an image is made of, and refers to it.
func (o order) bom(img v1.Image, program string) (v1.Image, error) {
	content, err := billOfMaterials(program, o.version)
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write bill of materials: %w", err)
	}
	subject, err := partial.Descriptor(img)
	if err != nil {
		return nil, err
	}
	subject.Platform, subject.Annotations = nil, nil
	out := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), bomType)
	out, err = mutate.Append(out, mutate.Addendum{Layer: static.NewLayer(data, bomType), MediaType: bomType})
	if err != nil {
		return nil, err
	}
	return mutate.Subject(out, *subject).(v1.Image), nil
}
