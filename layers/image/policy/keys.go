package policy

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// maxPayload bounds what is signed.
const maxPayload = 1 << 20

var errSignature = errors.New("the signature is not by a key of the policy")

// cosign returns the check of cosign's signatures: ECDSA and RSA (PKCS #1 v1.5)
// over the SHA-256 of the payload, Ed25519 over the payload.
func cosign(key []byte) (opener, error) {
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, errors.New("key is not PEM")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse key: %w", err)
	}
	return func(s Signature) ([]byte, error) {
		sum := sha256.Sum256(s.Payload)
		good := false
		switch k := public.(type) {
		case *ecdsa.PublicKey:
			good = ecdsa.VerifyASN1(k, sum[:], s.Signature)
		case *rsa.PublicKey:
			good = rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], s.Signature) == nil
		case ed25519.PublicKey:
			good = ed25519.Verify(k, s.Payload, s.Signature)
		}
		if !good {
			return nil, errSignature
		}
		return s.Payload, nil
	}, nil
}

// openPGP returns the check of OpenPGP messages signed by any key of a ring,
// which is armored or not.
func openPGP(key []byte) (opener, error) {
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(key))
	if err != nil {
		if ring, err = openpgp.ReadKeyRing(bytes.NewReader(key)); err != nil {
			return nil, fmt.Errorf("parse OpenPGP keys: %w", err)
		}
	}
	return func(s Signature) ([]byte, error) {
		m, err := openpgp.ReadMessage(bytes.NewReader(s.Signature), ring, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errSignature, err)
		}
		if !m.IsSigned || m.SignedBy == nil {
			return nil, errSignature
		}
		text, err := io.ReadAll(io.LimitReader(m.UnverifiedBody, maxPayload))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errSignature, err)
		}
		// Reading on to the end is what checks it.
		if n, err := m.UnverifiedBody.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: more than %d bytes are signed", errSignature, maxPayload)
		}
		if m.SignatureError != nil || m.Signature == nil {
			return nil, fmt.Errorf("%w: %w", errSignature, m.SignatureError)
		}
		return text, nil
	}, nil
}
