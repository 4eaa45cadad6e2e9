package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// authorities returns the certificates that the image trusts, as PEM: Mozilla's,
// as the module golang.org/x/crypto/x509roots has them at the version of go.mod,
// so that the machine which builds has no say. Authorities that Mozilla trusts
// with reservations (some names, or certificates until some day) are left out: a
// file of PEM cannot say that.
func authorities() ([]byte, error) {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, fmt.Errorf("read authorities: %w", err)
		}
		fmt.Fprintf(&out, "# %s\n", certificate.Subject)
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, fmt.Errorf("write authorities: %w", err)
		}
	}
	if out.Len() == 0 {
		return nil, errors.New("read authorities: there are none")
	}
	return out.Bytes(), nil
}
