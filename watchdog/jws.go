package watchdog

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the algorithms
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// tokenHead is the first part of a token (RFC 7515).
type tokenHead struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
}

func splitToken(token string) (head tokenHead, payload, signature []byte, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return head, nil, nil, errors.New("token contains an invalid number of segments")
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return head, nil, nil, fmt.Errorf("token is malformed: %w", err)
		}
	}
	if err := json.Unmarshal(decoded[0], &head); err != nil {
		return head, nil, nil, fmt.Errorf("token is malformed: %w", err)
	}
	return head, decoded[1], decoded[2], nil
}

// jwk is a public key (RFC 7517).
type jwk struct {
	ID    string `json:"kid"`
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	N     string `json:"n"`
	E     string `json:"e"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

// public returns an *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
func (k jwk) public() (any, error) {
	var fields [4][]byte
	for i, text := range []string{k.N, k.E, k.X, k.Y} {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return nil, err
		}
		fields[i] = b
	}
	n, e, x, y := fields[0], fields[1], fields[2], fields[3]
	switch {
	case k.Type == "RSA" && len(n) >= 128 && len(e) > 0 && len(e) <= 4:
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
	case k.Type == "EC" && curves[k.Curve] != nil:
		size := (curves[k.Curve].Params().BitSize + 7) / 8
		if len(x) != size || len(y) != size {
			return nil, errors.New("a coordinate has the wrong length")
		}
		return ecdsa.ParseUncompressedPublicKey(curves[k.Curve], append(append([]byte{4}, x...), y...))
	case k.Type == "OKP" && k.Curve == "Ed25519" && len(x) == ed25519.PublicKeySize:
		return ed25519.PublicKey(x), nil
	}
	return nil, fmt.Errorf("key of type %q %s cannot be used", k.Type, k.Curve)
}

var errSignature = errors.New("token signature is invalid")

// verifySignature checks the signature by an algorithm of RFC 7518 that fits the
// key: what the token says of its algorithm is a claim like any other.
func verifySignature(algorithm string, key any, signed string, signature []byte) error {
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[strings.TrimLeft(algorithm, "RESP")]
	var digest []byte
	if hash != 0 {
		h := hash.New()
		h.Write([]byte(signed)) // a hash takes everything
		digest = h.Sum(nil)
	}
	ok := false
	switch key := key.(type) {
	case *rsa.PublicKey:
		switch {
		case hash != 0 && strings.HasPrefix(algorithm, "RS"):
			ok = rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
		case hash != 0 && strings.HasPrefix(algorithm, "PS"):
			ok = rsa.VerifyPSS(key, hash, digest, signature, nil) == nil
		}
	case *ecdsa.PublicKey:
		size := (key.Curve.Params().BitSize + 7) / 8
		if hash != 0 && strings.HasPrefix(algorithm, "ES") && len(signature) == 2*size {
			ok = ecdsa.Verify(key, digest, new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:]))
		}
	case ed25519.PublicKey:
		ok = algorithm == "EdDSA" && ed25519.Verify(key, []byte(signed), signature)
	}
	if !ok {
		return errSignature
	}
	return nil
}
