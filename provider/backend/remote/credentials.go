package remote

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Credentials are how requests to /system are authorized: by basic auth, by a
// bearer token, or not at all. Of a value and a file one is given.
type Credentials struct {
	User, UserFile         string
	Password, PasswordFile string
	// Token and TokenFile are a bearer token. Files are read again when they
	// are older than a moment: Kubernetes exchanges a pod's token while the pod
	// runs (kubernetes.io/docs, "Service Account Token Volume Projection").
	Token, TokenFile string
}

// rereadAfter is for how long what a file holds is used.
const rereadAfter = 5 * time.Second

// login makes the Authorization header.
type login struct {
	from Credentials

	mu    sync.Mutex // guards the rest
	value string
	read  time.Time
}

// newLogin returns nil when there are no credentials.
func newLogin(c Credentials) (*login, error) {
	if c == (Credentials{}) {
		return nil, nil
	}
	basic := c.User != "" || c.UserFile != "" || c.Password != "" || c.PasswordFile != ""
	switch {
	case basic && (c.Token != "" || c.TokenFile != ""):
		return nil, errors.New("basic auth and a bearer token exclude each other")
	case c.User != "" && c.UserFile != "", c.Password != "" && c.PasswordFile != "", c.Token != "" && c.TokenFile != "":
		return nil, errors.New("a credential is given as a value and as a file: want one of them")
	case basic && (c.User == "" && c.UserFile == "" || c.Password == "" && c.PasswordFile == ""):
		return nil, errors.New("basic auth wants a user and a password")
	}
	l := &login{from: c}
	_, err := l.header()
	return l, err
}

// header returns the value of Authorization. A file that cannot be read any more
// leaves the value as it was.
func (l *login) header() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.read) < rereadAfter {
		return l.value, nil
	}
	value, err := l.make()
	if err != nil && l.value == "" {
		return "", err
	}
	if err == nil {
		l.value = value
	}
	l.read = time.Now()
	return l.value, nil
}

func (l *login) make() (string, error) {
	if l.from.Token != "" || l.from.TokenFile != "" {
		token, err := valueOf(l.from.Token, l.from.TokenFile)
		return "Bearer " + token, err
	}
	user, err := valueOf(l.from.User, l.from.UserFile)
	if err != nil {
		return "", err
	}
	password, err := valueOf(l.from.Password, l.from.PasswordFile)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)), err
}

func valueOf(value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read credentials: %w", err)
	}
	value = strings.TrimSpace(string(data))
	if value == "" {
		return "", fmt.Errorf("read credentials: %s is empty", file)
	}
	return value, nil
}

// refused makes the next header read the files: what it said is not accepted.
func (l *login) refused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read = time.Time{}
}

// authorize adds the credentials to header.
func (b *Backend) authorize(header http.Header) error {
	if b.credentials == nil {
		return nil
	}
	value, err := b.credentials.header()
	if err != nil {
		return err
	}
	header["Authorization"] = []string{value}
	return nil
}

// TLS is how an https URL is trusted, and who we are to it. Its files are PEM.
type TLS struct {
	CAFile            string // certificates to trust in the place of the system's
	CertFile, KeyFile string // of the client; read again for every connection
	ServerName        string // in the place of the URL's host
}

func (t TLS) config() (*tls.Config, error) {
	config := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA certificates: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read CA certificates: %s holds none in PEM", t.CAFile)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("a client certificate wants a certificate file and a key file")
	}
	if t.CertFile == "" {
		return config, nil
	}
	load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load client certificate: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(nil); err != nil {
		return nil, err
	}
	config.GetClientCertificate = load
	return config, nil
}
