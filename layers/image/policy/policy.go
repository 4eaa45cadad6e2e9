// Package policy decides by a signature policy whether an image may be used:
// policy.json as podman and skopeo read it (containers-policy.json(5)). It fetches
// nothing: whoever asks brings the signatures. What the policy demands and this
// package cannot check is refused, never passed over.
//
// The containers/image module has an evaluation of its own, which needs gpgme
// through cgo, or a build tag that every build of this program would have to be
// given.
package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Errors of this package, for errors.Is.
var (
	// ErrInvalid says that a policy is not one.
	ErrInvalid = errors.New("invalid signature policy")
	// ErrRefused says that the policy does not let an image be used.
	ErrRefused = errors.New("image is refused by the signature policy")
)

// maxPolicy bounds the file.
const maxPolicy = 4 << 20

// Policy says by transport and scope what images must fulfil.
type Policy struct {
	path       string
	fallback   []requirement
	transports map[string]map[string][]requirement
}

// Paths returns where a policy is looked for, the first one first: what the
// variable CONTAINERS_POLICY_JSON names, the user's own, the machine's.
func Paths(getenv func(string) string) []string {
	if named := getenv("CONTAINERS_POLICY_JSON"); named != "" {
		return []string{named}
	}
	var paths []string
	if config := getenv("XDG_CONFIG_HOME"); config != "" {
		paths = append(paths, filepath.Join(config, "containers/policy.json"))
	} else if home := getenv("HOME"); home != "" {
		paths = append(paths, filepath.Join(home, ".config/containers/policy.json"))
	}
	return append(paths, "/etc/containers/policy.json", "/usr/share/containers/policy.json")
}

// Find reads the first policy that is there. None is nil, which allows
// everything: only who wrote a policy has one.
func Find(getenv func(string) string) (*Policy, error) {
	for _, path := range Paths(getenv) {
		p, err := Read(path)
		if errors.Is(err, fs.ErrNotExist) && getenv("CONTAINERS_POLICY_JSON") == "" {
			continue
		}
		return p, err
	}
	return nil, nil
}

// Read reads the policy in a file.
func Read(path string) (*Policy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: read: %w", ErrInvalid, err)
	}
	if info.Size() > maxPolicy {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrInvalid, path, maxPolicy)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: read: %w", ErrInvalid, err)
	}
	p, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p.path = path
	return p, nil
}

// Parse reads a policy. Unknown members and members that occur twice are
// mistakes: in a policy they could only be misunderstood.
func Parse(data []byte) (*Policy, error) {
	if err := checkMembers(data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	var raw struct {
		Default    []json.RawMessage                       `json:"default"`
		Transports map[string]map[string][]json.RawMessage `json:"transports"`
	}
	if err := decode(data, &raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	p := &Policy{path: "policy.json", transports: map[string]map[string][]requirement{}}
	var err error
	if p.fallback, err = parseRequirements(raw.Default); err != nil {
		return nil, fmt.Errorf("%w: default: %w", ErrInvalid, err)
	}
	for transport, scopes := range raw.Transports {
		p.transports[transport] = map[string][]requirement{}
		for scope, list := range scopes {
			if p.transports[transport][scope], err = parseRequirements(list); err != nil {
				return nil, fmt.Errorf("%w: transport %q, scope %q: %w", ErrInvalid, transport, scope, err)
			}
		}
	}
	return p, nil
}

// find returns the requirements of the most particular scope, and its name.
func (p *Policy) find(transport string, scopes []string) ([]requirement, string) {
	known := p.transports[transport]
	for _, scope := range append(slices.Clone(scopes), "") {
		if list, ok := known[scope]; ok {
			return list, fmt.Sprintf("the scope %q of %s", scope, transport)
		}
	}
	return p.fallback, "the default"
}
