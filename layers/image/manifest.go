package image

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/types"
)

// maxConfig bounds an image's configuration; containers/image bounds manifests
// at the same 4 MiB.
const maxConfig = 4 << 20

// manifest returns the manifest of the platform that opts ask for, and sets
// the image's digest. OCI's and Docker's manifests have the same fields.
func (i *Image) manifest(ctx context.Context, r reference, s *types.SystemContext, opts Options) (v1.Manifest, error) {
	data, kind, err := i.src.GetManifest(ctx, nil)
	if err != nil {
		return v1.Manifest{}, err
	}
	if r.digest != "" {
		if err := verify(data, r.digest, "manifest"); err != nil {
			return v1.Manifest{}, err
		}
	}
	if kind == "" || kind == "application/json" || kind == "text/plain" {
		kind = manifest.GuessMIMEType(data)
	}
	want := digest.FromBytes(data)
	i.digests = []string{want.String()}
	if manifest.MIMETypeIsMultiImage(kind) {
		if want, err = choose(data, kind, s, opts); err != nil {
			return v1.Manifest{}, err
		}
		i.digests = []string{want.String(), i.digests[0]}
		if data, kind, err = i.src.GetManifest(ctx, &want); err != nil {
			return v1.Manifest{}, err
		}
		if err := verify(data, want, "manifest"); err != nil {
			return v1.Manifest{}, err
		}
		if kind == "" {
			kind = manifest.GuessMIMEType(data)
		}
	}
	i.Digest = want.String()
	switch kind {
	case v1.MediaTypeImageManifest, manifest.DockerV2Schema2MediaType:
	case manifest.DockerV2Schema1MediaType, manifest.DockerV2Schema1SignedMediaType:
		return v1.Manifest{}, fmt.Errorf("%w: its manifest is of Docker's first format, which registries gave up: push it again with a current tool", ErrInvalid)
	default:
		return v1.Manifest{}, fmt.Errorf("%w: its manifest is of the type %q", ErrInvalid, kind)
	}
	var m v1.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return v1.Manifest{}, fmt.Errorf("%w: parse manifest: %w", ErrInvalid, err)
	}
	return m, nil
}

func verify(data []byte, want digest.Digest, what string) error {
	if err := want.Validate(); err != nil {
		return fmt.Errorf("%w: %s: %q: %w", ErrInvalid, what, want, err)
	}
	if got := want.Algorithm().FromBytes(data); got != want {
		return fmt.Errorf("%w: %s is %s, expected %s", ErrDigest, what, got, want)
	}
	return nil
}

// choose returns the digest of the platform's manifest in an index.
func choose(data []byte, kind string, s *types.SystemContext, opts Options) (digest.Digest, error) {
	list, err := manifest.ListFromBlob(data, kind)
	if err != nil {
		return "", fmt.Errorf("%w: parse index: %w", ErrInvalid, err)
	}
	if d, err := list.ChooseInstance(s); err == nil {
		return d, nil
	}
	var index v1.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return "", fmt.Errorf("%w: parse index: %w", ErrInvalid, err)
	}
	var found []string
	for _, m := range index.Manifests {
		if p := m.Platform; p != nil && p.OS != "unknown" {
			found = append(found, strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/"))
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%w: its index names no platform", ErrInvalid)
	}
	return "", fmt.Errorf("%w: wanted linux/%s, found %s", ErrPlatform, opts.Arch, strings.Join(found, ", "))
}

// imageConfig is an image's configuration, as far as it is used.
type imageConfig struct{ v1.Image }

// config reads the configuration that a manifest names and checks that it is a
// Linux image's.
func (i *Image) config(ctx context.Context, m v1.Manifest, opts Options) (imageConfig, error) {
	d := m.Config
	if d.MediaType != v1.MediaTypeImageConfig && d.MediaType != manifest.DockerV2Schema2ConfigMediaType {
		return imageConfig{}, fmt.Errorf("%w: its configuration is of the type %q", ErrInvalid, d.MediaType)
	}
	data, err := i.readBlob(ctx, d, maxConfig)
	if err != nil {
		return imageConfig{}, fmt.Errorf("read configuration: %w", err)
	}
	i.RawConfig = data
	var c imageConfig
	if err := json.Unmarshal(data, &c.Image); err != nil {
		return imageConfig{}, fmt.Errorf("%w: parse configuration: %w", ErrInvalid, err)
	}
	if c.OS != "linux" || c.Architecture != opts.Arch {
		return imageConfig{}, fmt.Errorf("%w: wanted linux/%s, found %s/%s", ErrPlatform, opts.Arch, c.OS, c.Architecture)
	}
	return c, nil
}

func (c imageConfig) config() layers.Config {
	return layers.Config{
		Arch: c.Architecture, Entrypoint: c.Config.Entrypoint, Cmd: c.Config.Cmd, Env: c.Config.Env,
		Dir: c.Config.WorkingDir, User: c.Config.User, Labels: c.Config.Labels,
	}
}

// layerFamilies are how the media types of layers begin.
var layerFamilies = []string{"application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar"}

// setLayers takes the manifest's layers over.
func (i *Image) setLayers(m v1.Manifest, diffIDs []digest.Digest) error {
	if len(diffIDs) != len(m.Layers) {
		return fmt.Errorf("%w: %d layers in its manifest, %d in its configuration", ErrInvalid, len(m.Layers), len(diffIDs))
	}
	for n, d := range m.Layers {
		if len(d.URLs) > 0 || strings.Contains(d.MediaType, "foreign") || strings.Contains(d.MediaType, "nondistributable") {
			return fmt.Errorf("%w: layer %s (%s) is not in its registry but somewhere else", ErrInvalid, d.Digest, d.MediaType)
		}
		family := func(f string) bool { return strings.HasPrefix(d.MediaType, f) }
		if !slices.ContainsFunc(layerFamilies, family) || strings.HasSuffix(d.MediaType, "+encrypted") {
			return fmt.Errorf("%w: layer %s is of the type %q", ErrInvalid, d.Digest, d.MediaType)
		}
		if err := check(d); err != nil {
			return err
		}
		i.layers = append(i.layers, layers.Layer{
			Digest: d.Digest.String(), DiffID: diffIDs[n].String(), MediaType: d.MediaType, Size: d.Size,
			Open: i.opener(d),
		})
	}
	return nil
}
