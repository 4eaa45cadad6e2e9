package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// keys are files: the API server's certificate, which signs itself, its key,
// which signs the tokens of service accounts too, and the tokens of users.
type keys struct {
	certificate, key, tokens string
	token                    string // of a user who may do everything
}

func writeKeys(dir string) (keys, error) {
	k := keys{certificate: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key"), tokens: filepath.Join(dir, "tokens.csv"), token: rand.Text()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return k, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kube-apiserver"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return k, err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return k, err
	}
	for path, content := range map[string][]byte{
		k.certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		k.key:         pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
		k.tokens:      fmt.Appendf(nil, "%s,admin,admin,system:masters\n", k.token),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return k, err
		}
	}
	return k, nil
}

// writeKubeconfig writes how to reach the API server as a user who may do
// everything.
func writeKubeconfig(path, server string, k keys) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: server, CertificateAuthority: k.certificate}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Token: k.token}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "admin"}
	config.CurrentContext = "test"
	return clientcmd.WriteToFile(*config, path)
}
