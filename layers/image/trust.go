package image

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/docker"
	dockerref "go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/types"

	"github.com/faas-lambda/faas-lambda/layers/image/policy"
)

const (
	maxSignatures = 64      // of one image
	maxSignature  = 1 << 20 // bytes of what one of them is about

	// cosignSignature is the annotation that holds a signature (cosign's
	// SIGNATURE_SPEC).
	cosignSignature = "dev.cosignproject.cosign/signature"
)

// trusted checks an image against the signature policy, before anything of it
// but its manifest is read.
func (i *Image) trusted(ctx context.Context, r reference, s *types.SystemContext, opts Options) error {
	rules, err := readPolicy(opts)
	if err != nil {
		return err
	}
	name := ""
	if named := i.src.Reference().DockerReference(); named != nil {
		name = named.String()
	}
	return rules.Check(ctx, policy.Image{
		Transport: r.Transport().Name(), Reference: name, Digests: i.digests,
		Scopes:   append([]string{r.PolicyConfigurationIdentity()}, r.PolicyConfigurationNamespaces()...),
		Signed:   i.signatures,
		Sigstore: func(ctx context.Context) ([]policy.Signature, error) { return i.sigstore(ctx, r, s) },
	})
}

func readPolicy(opts Options) (*policy.Policy, error) {
	if opts.Policy != "" {
		return policy.Read(opts.Policy)
	}
	return policy.Find(os.Getenv)
}

// signatures returns the OpenPGP signatures of the manifest and of the index
// that led to it, from wherever registries.d says they are.
func (i *Image) signatures(ctx context.Context) ([][]byte, error) {
	var all [][]byte
	for n := range i.digests {
		var instance *digest.Digest
		if n == 0 && len(i.digests) > 1 { // the platform's own
			d := digest.Digest(i.digests[0])
			instance = &d
		}
		found, err := i.src.GetSignatures(ctx, instance)
		if err != nil {
			return nil, err
		}
		if all = append(all, found...); len(all) > maxSignatures {
			return nil, fmt.Errorf("%w: more than %d signatures", ErrInvalid, maxSignatures)
		}
	}
	return all, nil
}

// sigstore returns what cosign attached to the digests of an image: an image of
// its own under a tag made of the digest, with a layer for each signature.
func (i *Image) sigstore(ctx context.Context, r reference, s *types.SystemContext) ([]policy.Signature, error) {
	if r.registry == "" {
		return nil, nil
	}
	var all []policy.Signature
	for _, d := range i.digests {
		tagged, err := dockerref.WithTag(dockerref.TrimNamed(r.DockerReference()), strings.Replace(d, ":", "-", 1)+".sig")
		if err != nil {
			return nil, fmt.Errorf("name the signatures of %s: %w", d, err)
		}
		found, err := attached(ctx, tagged, s)
		if err = r.classifyAny(ctx, err); errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", tagged, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

func (r reference) classifyAny(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return r.classify(ctx, err)
}

// attached reads the signatures under a tag.
func attached(ctx context.Context, tagged dockerref.Named, s *types.SystemContext) (_ []policy.Signature, err error) {
	ref, err := docker.NewReference(tagged)
	if err != nil {
		return nil, err
	}
	src, err := ref.NewImageSource(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	data, _, err := src.GetManifest(ctx, nil)
	if err != nil {
		return nil, err
	}
	var m v1.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%w: parse manifest of signatures: %w", ErrInvalid, err)
	}
	if len(m.Layers) > maxSignatures {
		return nil, fmt.Errorf("%w: more than %d signatures", ErrInvalid, maxSignatures)
	}
	holder := &Image{src: src}
	var found []policy.Signature
	for _, layer := range m.Layers {
		signature, err := base64.StdEncoding.DecodeString(layer.Annotations[cosignSignature])
		if err != nil || len(signature) == 0 {
			continue // something else that is attached
		}
		text, err := holder.readBlob(ctx, layer, maxSignature)
		if err != nil {
			return nil, err
		}
		found = append(found, policy.Signature{Payload: text, Signature: signature})
	}
	return found, nil
}
