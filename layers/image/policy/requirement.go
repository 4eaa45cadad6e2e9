package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// The types of requirements (containers-policy.json(5), "POLICY REQUIREMENTS").
const (
	acceptAnything = "insecureAcceptAnything"
	reject         = "reject"
	signedBy       = "signedBy"
	sigstoreSigned = "sigstoreSigned"
)

// requirement is one that an image must fulfil.
type requirement struct {
	Type string `json:"type"`

	KeyType  string   `json:"keyType"` // of signedBy
	KeyPath  string   `json:"keyPath"`
	KeyPaths []string `json:"keyPaths"`
	KeyData  []byte   `json:"keyData"`
	KeyDatas [][]byte `json:"keyDatas"` // of sigstoreSigned

	Identity *identity `json:"signedIdentity"`

	// Ways to sign that cannot be checked here.
	Fulcio      json.RawMessage `json:"fulcio"`
	PKI         json.RawMessage `json:"pki"`
	RekorPath   json.RawMessage `json:"rekorPublicKeyPath"`
	RekorPaths  json.RawMessage `json:"rekorPublicKeyPaths"`
	RekorData   json.RawMessage `json:"rekorPublicKeyData"`
	RekorDatas  json.RawMessage `json:"rekorPublicKeyDatas"`
	BaseLayer   json.RawMessage `json:"baseLayerIdentity"`
	unsupported string
}

func parseRequirements(list []json.RawMessage) ([]requirement, error) {
	if len(list) == 0 {
		return nil, errors.New("no requirements: it would allow nothing and everything")
	}
	out := make([]requirement, len(list))
	for i, raw := range list {
		if err := decode(raw, &out[i]); err != nil {
			return nil, fmt.Errorf("requirement %d: %w", i+1, err)
		}
		if err := out[i].check(); err != nil {
			return nil, fmt.Errorf("requirement %d, %q: %w", i+1, out[i].Type, err)
		}
	}
	return out, nil
}

// check completes a requirement, and notes what of it cannot be checked here:
// that is a mistake only when an image is asked about.
func (r *requirement) check() error {
	switch r.Type {
	case acceptAnything, reject:
		if r.keys() > 0 || r.KeyType != "" || r.Identity != nil {
			return errors.New("takes no members")
		}
		return nil
	case signedBy:
		if r.KeyType != "GPGKeys" {
			r.unsupported = fmt.Sprintf("keys of the type %q", r.KeyType)
		}
		if len(r.KeyDatas) > 0 {
			return errors.New("keyDatas belongs to sigstoreSigned")
		}
	case sigstoreSigned:
		for name, set := range map[string]json.RawMessage{
			"fulcio": r.Fulcio, "pki": r.PKI, "rekorPublicKeyPath": r.RekorPath, "rekorPublicKeyPaths": r.RekorPaths,
			"rekorPublicKeyData": r.RekorData, "rekorPublicKeyDatas": r.RekorDatas,
		} {
			if set != nil {
				r.unsupported = name
			}
		}
	case "signedBaseLayer":
		r.unsupported = "signedBaseLayer"
	default:
		return errors.New("unknown type")
	}
	if r.unsupported == "" && r.keys() != 1 {
		return errors.New("needs exactly one of keyPath, keyPaths, keyData and keyDatas")
	}
	if r.Identity == nil {
		r.Identity = &identity{Type: matchRepoDigestOrExact}
	}
	return r.Identity.check()
}

// keys counts the ways in which keys are given.
func (r *requirement) keys() (n int) {
	for _, set := range []bool{r.KeyPath != "", len(r.KeyPaths) > 0, len(r.KeyData) > 0, len(r.KeyDatas) > 0} {
		if set {
			n++
		}
	}
	return n
}

// readKeys returns the keys, each as its file has it.
func (r *requirement) readKeys() ([][]byte, error) {
	keys := r.KeyDatas
	if len(r.KeyData) > 0 {
		keys = append(keys, r.KeyData)
	}
	paths := r.KeyPaths
	if r.KeyPath != "" {
		paths = append(paths, r.KeyPath)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		keys = append(keys, data)
	}
	return keys, nil
}
