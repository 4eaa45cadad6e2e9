package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

// The ways in which the name in a signature must match the image's
// (containers-policy.json(5), "signedIdentity").
const (
	matchExact             = "matchExact"
	matchRepoDigestOrExact = "matchRepoDigestOrExact"
	matchRepository        = "matchRepository"
	exactReference         = "exactReference"
	exactRepository        = "exactRepository"
	remapIdentity          = "remapIdentity"
)

// identity says which name a signature must have been made for.
type identity struct {
	Type         string `json:"type"`
	Reference    string `json:"dockerReference"`
	Repository   string `json:"dockerRepository"`
	Prefix       string `json:"prefix"`
	SignedPrefix string `json:"signedPrefix"`
}

// check makes sure that an identity has what its type needs and nothing else.
func (i *identity) check() error {
	want := identity{Type: i.Type}
	switch i.Type {
	case matchExact, matchRepoDigestOrExact, matchRepository:
	case exactReference:
		want.Reference = i.Reference
		if n, err := reference.ParseNormalizedNamed(i.Reference); err != nil || reference.IsNameOnly(n) {
			return fmt.Errorf("dockerReference %q names no tag or digest", i.Reference)
		}
	case exactRepository:
		want.Repository = i.Repository
		if n, err := reference.ParseNormalizedNamed(i.Repository); err != nil || !reference.IsNameOnly(n) {
			return fmt.Errorf("dockerRepository %q is no repository", i.Repository)
		}
	case remapIdentity:
		want.Prefix, want.SignedPrefix = i.Prefix, i.SignedPrefix
		if i.Prefix == "" || i.SignedPrefix == "" {
			return errors.New("remapIdentity needs prefix and signedPrefix")
		}
	default:
		return fmt.Errorf("unknown signedIdentity %q", i.Type)
	}
	if *i != want {
		return fmt.Errorf("signedIdentity %q has members of another one", i.Type)
	}
	return nil
}

// matches reports whether a signature made for signed is one for image.
func (i *identity) matches(image, signed string) bool {
	s, err := reference.ParseNormalizedNamed(signed)
	if err != nil {
		return false
	}
	switch i.Type {
	case exactReference:
		want, err := reference.ParseNormalizedNamed(i.Reference)
		return err == nil && same(want, s)
	case exactRepository:
		want, err := reference.ParseNormalizedNamed(i.Repository)
		return err == nil && want.Name() == s.Name()
	case remapIdentity:
		if rest, ok := under(image, i.Prefix); ok {
			image = i.SignedPrefix + rest
		}
	}
	want, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return false
	}
	_, digested := want.(reference.Digested)
	switch {
	case i.Type == matchRepository:
		return want.Name() == s.Name()
	case i.Type != matchExact && digested: // the digest itself is what was signed
		return want.Name() == s.Name()
	}
	return same(want, s)
}

// same reports whether two references are the same one by their tags: that of
// a digest says nothing of a name.
func same(a, b reference.Named) bool {
	_, aDigested := a.(reference.Digested)
	_, bDigested := b.(reference.Digested)
	return !aDigested && !bDigested && !reference.IsNameOnly(a) && !reference.IsNameOnly(b) && a.String() == b.String()
}

// under returns what of an image's name lies below a prefix: a host, or a host
// and whole parts of a path.
func under(image, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(image, prefix)
	return rest, ok && (rest == "" || strings.ContainsRune("/:@", rune(rest[0])))
}
