package packaging

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/bundle"
	"github.com/faas-lambda/faas-lambda/layers/flatten"
	"github.com/faas-lambda/faas-lambda/layers/image"
	"github.com/faas-lambda/faas-lambda/layers/managed"
	"github.com/faas-lambda/faas-lambda/layers/relocate"
)

// Inspection is what there is to know of an image, or of a zip, before it is
// deployed.
type Inspection struct {
	Kind      string           `json:"kind"`      // image or zip
	Reference string           `json:"reference"` // as it was given
	Digest    string           `json:"digest,omitempty"`
	Arch      string           `json:"architecture,omitempty"`
	Watchdog  string           `json:"watchdog,omitempty"`
	Command   []string         `json:"command,omitempty"`
	Dir       string           `json:"workingDirectory,omitempty"`
	Env       []string         `json:"environment,omitempty"` // what the function's processes start with
	Layers    []InspectedLayer `json:"layers,omitempty"`      // of an image, the lowest first
	Expected  Expected         `json:"package"`
	Limits    []Limit          `json:"limits"`
	Moved     relocate.Report  `json:"moved"`             // and how
	Unmoved   []Problem        `json:"unmoved,omitempty"` // what cannot be moved, or may not work, and why
	LeftOut   []Problem        `json:"leftOut,omitempty"` // what the package does not hold, and why
	Largest   []LargeFile      `json:"largestFiles"`
}

// InspectedLayer is what one layer of an image brings.
type InspectedLayer struct {
	Digest     string `json:"digest"`
	CreatedBy  string `json:"createdBy,omitempty"` // by the image's history
	Compressed int64  `json:"compressedBytes"`
	Entries    int64  `json:"entries"`
	Bytes      int64  `json:"bytes"`        // of its files
	Kept       int64  `json:"packageBytes"` // of its files that are in the package
}

// Expected is what a deployment would make.
type Expected struct {
	Type     string `json:"type"`   // zip, or image
	Reason   string `json:"reason"` // why
	Runtime  string `json:"runtime,omitempty"`
	Handler  string `json:"handler,omitempty"`
	Files    int    `json:"files"`
	Dirs     int    `json:"directories"`
	Symlinks int    `json:"symlinks"`
	Unzipped int64  `json:"unzippedBytes"`
	Zipped   int64  `json:"zippedBytes,omitempty"` // unknown when it is no zip
	SHA256   string `json:"codeSha256,omitempty"`
}

// Limit is one of Lambda's, and how far away it is.
type Limit struct {
	Name    string `json:"name"`
	Limit   int64  `json:"limitBytes"`
	Used    int64  `json:"usedBytes"`
	Left    int64  `json:"leftBytes"` // negative when it is exceeded
	Meaning string `json:"meaning"`   // what happens beyond it
}

// Problem is a file of the image and what is the matter with it.
type Problem struct {
	Path   string `json:"path"`
	Layer  string `json:"layer,omitempty"`
	Reason string `json:"reason"`
}

// LargeFile is one of the largest files of a package.
type LargeFile struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
	Layer string `json:"layer,omitempty"` // digest of the image's layer that brings it
}

// largestFiles is how many are named.
const largestFiles = 20

// maxImage is the size of a container image that Lambda takes, unpacked
// (docs.aws.amazon.com/lambda, "Lambda quotas").
const maxImage = 10 << 30

// Inspect looks at an image as a deployment would, and makes nothing of it.
func (p *Packager) Inspect(ctx context.Context, spec Spec) (Inspection, error) {
	var found Inspection
	err := p.with(ctx, spec, func(img *image.Image, bootstrap []byte) (err error) {
		found, err = p.inspect(ctx, spec, img, bootstrap)
		return err
	})
	return found, imageError(spec.Image, err)
}

func (p *Packager) inspect(ctx context.Context, spec Spec, img *image.Image, bootstrap []byte) (found Inspection, err error) {
	kept, err := p.cache()
	if err != nil {
		return found, err
	}
	flat, err := flatten.Flatten(ctx, img.Layers(), flatten.Options{Cache: kept, Progress: spec.Progress})
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, flat.Close(), settle(kept)) }()
	found = Inspection{Kind: "image", Reference: spec.Image, Digest: img.Digest, Arch: spec.Arch}
	options := relocate.Options{Prefix: root, Process: spec.Process, Env: spec.Env, KeepAll: spec.KeepAll}
	if kept != nil {
		options.Facts = kept.Facts()
	}
	in := bundle.Package{Image: img.Digest, Bootstrap: bootstrap, Progress: spec.Progress, Cache: kept}
	if base, own := managed.Detect(flat.Tree, img.Config, img.Layers()); own {
		return found, found.expectManaged(ctx, flat, base, img, in)
	}
	tree := flat.Tree
	moved, err := relocate.Relocate(flat.Tree, img.Config, options)
	switch {
	case err == nil:
		tree = moved.Tree
		found.take(flat, moved)
		err = found.expectZip(ctx, moved, in)
	case needsImage(err) != nil:
		err = found.expectImage(flat, img, options, err)
	}
	if err != nil {
		return found, err
	}
	found.weigh(tree, flat, img)
	return found, nil
}

// take notes what relocation did.
func (i *Inspection) take(flat *flatten.Result, moved *relocate.Result) {
	i.Watchdog, i.Command, i.Dir, i.Env = moved.Start.Watchdog, moved.Start.Command, moved.Start.Dir, moved.Start.Env
	i.Moved = moved.Report
	for _, u := range moved.Report.Unmoved {
		i.Unmoved = append(i.Unmoved, Problem{Path: u.Path, Reason: u.Reason})
	}
	for _, s := range moved.Report.Static {
		i.Unmoved = append(i.Unmoved, Problem{Path: s, Reason: "static program that is not of Go: paths that are compiled into it stay as they are"})
	}
	i.Moved.Unmoved, i.Moved.Static = nil, nil
	for _, l := range append(slices.Clone(flat.LeftOut), moved.LeftOut...) {
		i.LeftOut = append(i.LeftOut, Problem(l))
	}
	if flat.Xattrs > 0 {
		i.LeftOut = append(i.LeftOut, Problem{Path: "extended attributes", Reason: fmt.Sprintf("of %d files, which a zip cannot hold", flat.Xattrs)})
	}
}

// expectZip makes the zip, for its size, and throws it away.
func (i *Inspection) expectZip(ctx context.Context, moved *relocate.Result, in bundle.Package) error {
	in.Root, in.Tree, in.Start = root, moved.Tree, moved.Start
	sum, err := bundle.Write(ctx, io.Discard, in)
	i.Expected = Expected{
		Type: Zip, Reason: "it can be moved to " + root + " and is below Lambda's limits",
		Files: sum.Files, Dirs: sum.Dirs, Symlinks: sum.Symlinks, Unzipped: sum.Unzipped, Zipped: sum.Zipped, SHA256: sum.SHA256,
	}
	if reason := needsImage(err); reason != nil {
		i.Expected = Expected{Type: Image, Reason: reason.Error()}
		i.Expected.count(moved.Tree)
		return nil
	}
	return err
}

// expectManaged is for what stands on one of Lambda's own bases.
func (i *Inspection) expectManaged(ctx context.Context, flat *flatten.Result, base managed.Base, img *image.Image, in bundle.Package) error {
	packed, err := packManaged(ctx, flat, base, img, in)
	if err != nil {
		return err
	}
	in.Tree = packed.Tree
	sum, err := bundle.WritePart(ctx, io.Discard, in)
	if err != nil && needsImage(err) == nil {
		return err
	}
	i.Env = packed.Env
	i.Expected = Expected{
		Type: Zip, Reason: managedReason(base), Runtime: base.Runtime, Handler: packed.Handler,
		Files: sum.Files, Dirs: sum.Dirs, Symlinks: sum.Symlinks, Unzipped: sum.Unzipped, Zipped: sum.Zipped, SHA256: sum.SHA256,
	}
	if err != nil {
		i.Expected.count(packed.Tree)
		i.Unmoved = append(i.Unmoved, Problem{Path: "the whole package", Reason: err.Error()})
	}
	for _, l := range append(slices.Clone(flat.LeftOut), packed.LeftOut...) {
		i.LeftOut = append(i.LeftOut, Problem(l))
	}
	i.weigh(packed.Tree, flat, img)
	return nil
}

// expectImage is for what cannot be moved.
func (i *Inspection) expectImage(flat *flatten.Result, img *image.Image, options relocate.Options, reason error) error {
	stayed, err := relocate.Stay(flat.Tree, img.Config, options)
	if err != nil {
		return err
	}
	i.Watchdog, i.Command, i.Dir, i.Env = stayed.Start.Watchdog, stayed.Start.Command, stayed.Start.Dir, stayed.Start.Env
	i.Expected = Expected{Type: Image, Reason: reason.Error()}
	i.Expected.count(flat.Tree)
	i.Unmoved = append(i.Unmoved, Problem{Path: "the whole image", Reason: reason.Error()})
	for _, l := range flat.LeftOut {
		i.LeftOut = append(i.LeftOut, Problem(l))
	}
	return nil
}

func (e *Expected) count(tree *layers.Tree) {
	for entry := range tree.All() {
		switch entry.Type {
		case layers.Dir:
			e.Dirs++
		case layers.Symlink:
			e.Symlinks++
		case layers.File:
			e.Files++
			e.Unzipped += entry.Size
		}
	}
}

// weigh says which layer brings what, which files are the largest, and how far
// away the limits are.
func (i *Inspection) weigh(tree *layers.Tree, flat *flatten.Result, img *image.Image) {
	kept := map[string]int64{}
	for e := range tree.All() {
		if e.Type != layers.File {
			continue
		}
		layer := layers.LayerOf(e)
		if original, ok := flat.Tree.Get(e.Path); ok && !strings.HasPrefix(layer, "sha256:") {
			layer = layers.LayerOf(original) // it was changed
		}
		if !strings.HasPrefix(layer, "sha256:") {
			layer = "" // it was made here
		}
		kept[layer] += e.Size
		i.Largest = append(i.Largest, LargeFile{Path: e.Path, Bytes: e.Size, Layer: layer})
	}
	i.Largest = largest(i.Largest)
	by := createdBy(img.RawConfig)
	for n, l := range img.Layers() {
		layer := InspectedLayer{Digest: l.Digest, Compressed: l.Size, Entries: flat.Layers[n].Entries, Bytes: flat.Layers[n].Bytes, Kept: kept[l.Digest]}
		if len(by) == len(img.Layers()) {
			layer.CreatedBy = by[n]
		}
		i.Layers = append(i.Layers, layer)
	}
	i.Limits = limits(i.Expected)
}

func largest(list []LargeFile) []LargeFile {
	slices.SortFunc(list, func(a, b LargeFile) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Path, b.Path)) })
	return slices.Clone(list[:min(len(list), largestFiles)])
}

// createdBy returns what an image's history says of each of its layers.
func createdBy(config []byte) []string {
	var c struct {
		History []struct {
			CreatedBy string `json:"created_by"`
			Empty     bool   `json:"empty_layer"`
		} `json:"history"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil
	}
	var by []string
	for _, h := range c.History {
		if !h.Empty {
			by = append(by, strings.Join(strings.Fields(h.CreatedBy), " "))
		}
	}
	return by
}

// limits are those of Lambda (docs.aws.amazon.com/lambda, "Lambda quotas").
func limits(e Expected) []Limit {
	list := []Limit{{Name: "unzipped", Limit: bundle.MaxUnzipped - 1, Used: e.Unzipped, Meaning: "beyond it the function becomes a container image"}}
	if e.Zipped > 0 {
		list = append(list, Limit{Name: "zip in a request", Limit: MaxDirect, Used: e.Zipped, Meaning: "beyond it the zip goes through S3"})
	}
	list = append(list, Limit{Name: "container image", Limit: maxImage, Used: e.Unzipped, Meaning: "beyond it Lambda cannot run it"})
	for n := range list {
		list[n].Left = list[n].Limit - list[n].Used
	}
	return list
}
