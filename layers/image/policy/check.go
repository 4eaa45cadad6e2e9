package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Image is what a policy is asked about. Its signatures are fetched only when
// the policy wants them.
type Image struct {
	Transport string   // docker, oci, oci-archive or docker-archive
	Scopes    []string // of the policy that the image is in, the most particular first
	Reference string   // normalized, with a tag or digest; empty for a file without a name
	// Digests are those of the platform's manifest and, when an index led to it,
	// of the index: a signature of either vouches for the image.
	Digests []string

	// Signed returns the image's OpenPGP signatures ("simple signing"), Sigstore
	// those that cosign makes.
	Signed   func(ctx context.Context) ([][]byte, error)
	Sigstore func(ctx context.Context) ([]Signature, error)
}

// Signature is a payload and the signature of it.
type Signature struct{ Payload, Signature []byte }

// Check returns an error that is ErrRefused when the policy does not allow the
// image. A nil policy allows everything.
func (p *Policy) Check(ctx context.Context, img Image) error {
	if p == nil {
		return nil
	}
	list, scope := p.find(img.Transport, img.Scopes)
	for _, r := range list {
		if err := r.allows(ctx, img); err != nil {
			return fmt.Errorf("%w: %s, %s: %w", ErrRefused, p.path, scope, err)
		}
	}
	return nil
}

// allows checks one requirement.
func (r *requirement) allows(ctx context.Context, img Image) error {
	if r.unsupported != "" {
		return fmt.Errorf("%s demands %s, which cannot be checked: only signatures of keys that the policy names can", r.Type, r.unsupported)
	}
	var open func(key []byte) (opener, error)
	var signatures []Signature
	var err error
	kind := "cosign container image signature"
	switch r.Type {
	case acceptAnything:
		return nil
	case reject:
		return errors.New("no image of it may be used")
	case signedBy:
		kind, open = "atomic container signature", openPGP
		var raw [][]byte
		raw, err = img.Signed(ctx)
		for _, s := range raw {
			signatures = append(signatures, Signature{Signature: s})
		}
	case sigstoreSigned:
		open = cosign
		signatures, err = img.Sigstore(ctx)
	}
	if err != nil {
		return fmt.Errorf("read signatures: %w", err)
	}
	return r.verify(img, kind, open, signatures)
}

// opener checks a signature with one key, and returns what was signed.
type opener func(s Signature) (payload []byte, err error)

// verify looks for a signature by one of the keys that is about this image.
func (r *requirement) verify(img Image, kind string, open func([]byte) (opener, error), signatures []Signature) error {
	if len(signatures) == 0 {
		return fmt.Errorf("%s: it has no signature", r.Type)
	}
	keys, err := r.readKeys()
	if err != nil {
		return err
	}
	var worst error // of all signatures, what came nearest to a good one
	for _, key := range keys {
		check, err := open(key)
		if err != nil {
			return err
		}
		for _, s := range signatures {
			payload, err := check(s)
			if err == nil {
				err = r.about(img, kind, payload)
			}
			if err == nil {
				return nil
			}
			if worst == nil || errors.Is(worst, errSignature) {
				worst = err
			}
		}
	}
	return fmt.Errorf("%s: none of its %d signatures is good: %w", r.Type, len(signatures), worst)
}

// payload is what is signed (containers-signature(5), "JSON DATA FORMAT"; cosign's
// signature specification takes the same form over).
type payload struct {
	Critical struct {
		Type  string `json:"type"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Identity struct {
			Reference string `json:"docker-reference"`
		} `json:"identity"`
	} `json:"critical"`
	Optional json.RawMessage `json:"optional"`
}

// about reports what keeps a signed payload from being about the image.
func (r *requirement) about(img Image, kind string, data []byte) error {
	if err := checkMembers(data); err != nil {
		return fmt.Errorf("signed text: %w", err)
	}
	var p payload
	if err := decode(data, &p); err != nil {
		return fmt.Errorf("signed text: %w", err)
	}
	switch {
	case p.Critical.Type != kind:
		return fmt.Errorf("the signature is of the type %q", p.Critical.Type)
	case !slices.Contains(img.Digests, p.Critical.Image.Digest):
		return fmt.Errorf("the signature is for %s", p.Critical.Image.Digest)
	case img.Reference == "":
		return errors.New("the image has no name that a signature could be for")
	case !r.Identity.matches(img.Reference, p.Critical.Identity.Reference):
		return fmt.Errorf("the signature is for %q, which is not %s by %s", p.Critical.Identity.Reference, img.Reference, r.Identity.Type)
	}
	return nil
}
