package remote

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/logs"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCredentials(t *testing.T) {
	var got atomic.Value
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, "[]")
	})
	token := write(t, "token", "first\n")
	for _, c := range []struct {
		name string
		from Credentials
		want string
	}{
		{"none", Credentials{}, ""},
		{"values", Credentials{User: "admin", Password: "secret"}, "Basic YWRtaW46c2VjcmV0"},
		{"files", Credentials{UserFile: write(t, "u", "admin"), PasswordFile: write(t, "p", "secret\n")}, "Basic YWRtaW46c2VjcmV0"},
		{"token", Credentials{Token: "t0"}, "Bearer t0"},
		{"token file", Credentials{TokenFile: token}, "Bearer first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, Options{URL: url, Credentials: c.from})
			if _, err := b.List(t.Context(), namespace); err != nil || got.Load() != c.want {
				t.Errorf("%q, %v", got.Load(), err)
			}
			if _, _, err := invoke(t.Context(), b, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)); err != nil || got.Load() != "" {
				t.Errorf("a function gets %q, %v", got.Load(), err)
			}
			everywhere := open(t, Options{URL: url, Credentials: c.from, AuthorizeInvocations: true})
			if _, _, err := invoke(t.Context(), everywhere, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)); err != nil || got.Load() != c.want {
				t.Errorf("a gateway that wants it gets %q, %v", got.Load(), err)
			}
		})
	}
}

func TestTokensAreReadAgainWhenTheyAreRefused(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer second" {
			http.Error(w, "expired", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "[]")
	})
	token := write(t, "token", "first")
	b := open(t, Options{URL: url, Credentials: Credentials{TokenFile: token}})
	if _, err := b.List(t.Context(), namespace); err == nil || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("%v, want an error about the credentials", err)
	}
	if err := os.WriteFile(token, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.List(t.Context(), namespace); err != nil {
		t.Error(err)
	}
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	b.credentials.refused()
	if _, err := b.List(t.Context(), namespace); err != nil {
		t.Errorf("when the file is gone for a moment: %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no scheme":          {URL: "gateway:8080"},
		"a user in the URL":  {URL: "http://u:p@gateway"},
		"two logins":         {URL: "http://g", Credentials: Credentials{User: "u", Password: "p", Token: "t"}},
		"half a login":       {URL: "http://g", Credentials: Credentials{User: "u"}},
		"a value and a file": {URL: "http://g", Credentials: Credentials{Token: "u", TokenFile: "x"}},
		"a missing file":     {URL: "http://g", Credentials: Credentials{TokenFile: "/missing"}},
		"an empty file":      {URL: "http://g", Credentials: Credentials{TokenFile: os.DevNull}},
		"a missing CA":       {URL: "https://g", TLS: TLS{CAFile: "/missing"}},
		"a CA that is none":  {URL: "https://g", TLS: TLS{CAFile: os.DevNull}},
		"half a certificate": {URL: "https://g", TLS: TLS{CertFile: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), o.URL) {
				t.Errorf("%v", err)
			}
		})
	}
}

// certificate makes one that signs itself, for a server or a client.
func certificate(t *testing.T, name string) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

func TestTLS(t *testing.T) {
	serverCert, serverKey := certificate(t, "gateway.internal")
	clientCert, clientKey := certificate(t, "federation")
	pair, err := tls.X509KeyPair(serverCert, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(clientCert)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName+" "+r.Proto)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	ca, cert, key := write(t, "ca.pem", string(serverCert)), write(t, "cert.pem", string(clientCert)), write(t, "key.pem", string(clientKey))
	for _, c := range []struct {
		name string
		tls  TLS
		says string
		err  string
	}{
		{"all of it", TLS{CAFile: ca, CertFile: cert, KeyFile: key, ServerName: "gateway.internal"}, "federation HTTP/1.1", ""},
		{"an unknown CA", TLS{CertFile: cert, KeyFile: key, ServerName: "gateway.internal"}, "", "unknown authority"},
		{"another name", TLS{CAFile: ca, CertFile: cert, KeyFile: key}, "", "127.0.0.1"},
		// In TLS 1.3 the refusal comes when the client is done: writing may fail before it is read.
		{"no client certificate", TLS{CAFile: ca, ServerName: "gateway.internal"}, "", "invoke function"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, Options{URL: server.URL, TLS: c.tls, Retries: 1})
			for range 2 { // the second on the connection of the first
				_, text, err := invoke(t.Context(), b, httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader("x")))
				if text != c.says || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("%q, %v", text, err)
				}
			}
		})
	}
}

// TestAProviderWithLittle is one such as faas-netes without the rest: routes are
// missing, and a function is ready some time after it was deployed.
func TestAProviderWithLittle(t *testing.T) {
	var asked, deleted, made, updated atomic.Int32
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "POST /system/functions":
			if made.Add(1) > 1 {
				http.Error(w, "already exists", http.StatusInternalServerError)
				return
			}
			w.WriteHeader(http.StatusAccepted)
		case "PUT /system/functions":
			if made.Load() == 0 {
				http.Error(w, "unable to find function", http.StatusNotFound)
				return
			}
			updated.Add(1)
		case "DELETE /system/functions":
			deleted.Store(1)
			w.WriteHeader(http.StatusAccepted)
		case "GET /system/function/f":
			switch n := asked.Add(1); {
			case deleted.Load() > 0 && deleted.Add(1) > 3:
				http.Error(w, "gone", http.StatusNotFound)
			case n < 3:
				_, _ = io.WriteString(w, `{"name":"f","image":"i","replicas":1}`)
			default:
				_, _ = io.WriteString(w, `{"name":"f","image":"i","replicas":1,"availableReplicas":1}`)
			}
		case "GET /healthz":
		case "GET /system/info":
			_, _ = io.WriteString(w, `{"provider":{"provider":"faas-netes","orchestration":"kubernetes"},"version":{}}`)
		default:
			http.NotFound(w, r)
		}
	})
	b := open(t, Options{URL: url})
	ctx := t.Context()
	if b.Orchestration() != "remote" {
		t.Errorf("is %s before it was asked", b.Orchestration())
	}
	if err := b.Check(ctx); err != nil || b.Orchestration() != "kubernetes" {
		t.Errorf("check: %v, is %s", err, b.Orchestration())
	}
	if err := b.Deploy(ctx, types.FunctionDeployment{Service: "f", Image: "i", Namespace: namespace}); err != nil || asked.Load() < 3 {
		t.Errorf("deployed after %d questions: %v", asked.Load(), err)
	}
	if err := b.Deploy(ctx, types.FunctionDeployment{Service: "f", Image: "i", Namespace: namespace}); err != nil || updated.Load() != 1 {
		t.Errorf("deployed again: %v, %d updates", err, updated.Load())
	}
	status, err := b.Status(ctx, function)
	if err != nil || status.Namespace != namespace || (*status.Labels)[backend.FunctionLabel] != "f" || status.Annotations == nil {
		t.Errorf("%+v, %v", status, err)
	}
	if names, err := b.Namespaces(ctx); err != nil || len(names) != 1 || names[0] != namespace {
		t.Errorf("namespaces %v, %v", names, err)
	}
	if _, err := b.Usage(ctx, function); !errors.Is(err, backend.ErrUnsupported) {
		t.Errorf("usage: %v", err)
	}
	if _, err := b.Consumption(ctx, function, time.Now()); !errors.Is(err, backend.ErrUnsupported) {
		t.Errorf("consumption: %v", err)
	}
	r := httptest.NewRequestWithContext(ctx, "POST", "/", nil)
	r.Header.Set(backend.AsyncHeader, "Event")
	if _, err := b.Invoke(ctx, function, r); !errors.Is(err, backend.ErrUnsupported) {
		t.Errorf("async: %v", err)
	}
	if err := b.Delete(ctx, function); err != nil || deleted.Load() < 3 {
		t.Errorf("deleted after %d questions: %v", deleted.Load(), err)
	}
}

func TestLogsEndWithTheBackend(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"name":"f","text":"one"}`+"\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	b := open(t, Options{URL: url})
	messages, err := b.Query(t.Context(), logs.Request{Name: "f", Namespace: namespace, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	if m := <-messages; m.Text != "one" {
		t.Errorf("%+v", m)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if m, ok := <-messages; ok {
		t.Errorf("%+v after Close", m)
	}
}

func FuzzLogs(f *testing.F) {
	f.Add([]byte(`{"name":"f","text":"one"}` + "\n\n{}"))
	f.Add([]byte("no JSON\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out := make(chan logs.Message, len(data)+1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := copyLogs(ctx, bytes.NewReader(data), out)
		if err == nil && len(out) > bytes.Count(data, []byte("\n"))+1 {
			t.Errorf("%d messages of %q", len(out), data)
		}
	})
}
