package secrets

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tunnels is a proxy that leads every CONNECT to one address.
type tunnels struct {
	to string

	mu    sync.Mutex // guards asked
	asked []string
}

func (p *tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	if p.to == "" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	far, err := net.Dial("tcp", p.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
	_, _ = io.Copy(near, far)
	_ = near.Close()
}

// overTLS is a client of the real endpoint's name; TLS ends in server.
func overTLS(t *testing.T, server *httptest.Server, proxy string, more ...string) *client {
	t.Helper()
	env := append([]string{`FAAS_LAMBDA_SECRETS={"a":"secretsmanager:id"}`, "HTTPS_PROXY=" + proxy}, basic...)
	c, err := parseConfig(append(env, more...))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	made := newClient(c)
	made.dialer.TLS.RootCAs = roots
	return made
}

// The certificate of httptest is good for example.com.
const endpoint = "AWS_ENDPOINT_URL=https://example.com"

func TestTLSThroughAProxy(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, secretString("by TLS").body) }))
	defer server.Close()
	proxy := &tunnels{to: server.Listener.Addr().String()}
	near := httptest.NewServer(proxy)
	defer near.Close()
	c := overTLS(t, server, strings.Replace(near.URL, "http://", "http://user:pa%20ss@", 1), endpoint)
	for range 2 {
		values, failed := c.fetchAll(t.Context(), c.config.named)
		if failed[0] != nil || string(values[0]) != "by TLS" {
			t.Fatal(values, failed)
		}
	}
	if want := "[CONNECT example.com:443 Basic dXNlcjpwYSBzcw== CONNECT example.com:443 Basic dXNlcjpwYSBzcw==]"; fmt.Sprint(proxy.asked) != want {
		t.Errorf("asked %v", proxy.asked)
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	near := httptest.NewServer(&tunnels{to: server.Listener.Addr().String()})
	defer near.Close()
	c := overTLS(t, server, near.URL) // secretsmanager.eu-central-1.amazonaws.com
	_, err := c.try(t.Context(), &pool{}, c.config.named[0])
	if err == nil || !strings.Contains(err.Error(), "x509: certificate is valid for") || !temporary(err) {
		t.Errorf("error = %v", err)
	}
}

func TestProxyThatRefuses(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	near := httptest.NewServer(&tunnels{})
	defer near.Close()
	c := overTLS(t, server, strings.Replace(near.URL, "http://", "http://u:hidden@", 1), endpoint)
	_, err := c.try(t.Context(), &pool{}, c.config.named[0])
	if err == nil || !strings.Contains(err.Error(), "it answered status 403") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("error = %v", err)
	}
}

func TestPlainHTTPNeedsNoProxy(t *testing.T) {
	aws := startAWS(t, map[string][]answer{"secretsmanager:id": {secretString("x")}})
	s, _ := load(t, aws.env(t, map[string]string{"a": "secretsmanager:id"}, "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1"))
	if got := value(t, s, "a"); got != "x" {
		t.Errorf("value %q", got)
	}
}

func TestAnswerTooLong(t *testing.T) {
	aws := startAWS(t, map[string][]answer{"secretsmanager:id": {{200, `{"SecretString":"` + strings.Repeat("x", maxAnswer) + `"}`}}})
	config, err := parseConfig(aws.env(t, map[string]string{"a": "secretsmanager:id"}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = newClient(config).try(t.Context(), &pool{}, config.named[0])
	if err == nil || !strings.Contains(err.Error(), "the answer is longer than 1048576 bytes") || len(err.Error()) > 500 {
		t.Errorf("error = %v", err)
	}
}

func TestLargestSecret(t *testing.T) {
	want := strings.Repeat("\x01", 65536)
	aws := startAWS(t, map[string][]answer{"secretsmanager:id": {secretString(want)}})
	s, _ := load(t, aws.env(t, map[string]string{"a": "secretsmanager:id"}))
	if got := value(t, s, "a"); got != want {
		t.Errorf("%d bytes", len(got))
	}
}

// SnapStart: credentials from an endpoint on the same machine.
func TestCredentialsOfAContainer(t *testing.T) {
	aws := startAWS(t, map[string][]answer{"secretsmanager:id0": {secretString("x")}, "secretsmanager:id1": {secretString("y")}})
	var count atomic.Int32
	var expires atomic.Value // read by the endpoint while the test is already further on
	expires.Store(time.Now().Add(time.Hour))
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "let me" || r.URL.Path != "/2021-04-23/credentials" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		count.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]any{"AccessKeyId": "ASIATEST", "SecretAccessKey": "test/secret+key", "Token": aws.creds.SessionToken, "Expiration": expires.Load().(time.Time).UTC().Format(time.RFC3339)})
	}))
	defer endpoint.Close()
	env := aws.env(t, map[string]string{"a": "secretsmanager:id0", "b": "secretsmanager:id1"}, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI="+endpoint.URL+"/2021-04-23/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN=let me")
	s, _ := load(t, env)
	if count.Load() != 1 || value(t, s, "b") != "y" {
		t.Errorf("credentials were fetched %d times", count.Load())
	}
	soon := time.Now().Add(time.Minute)
	expires.Store(soon)
	s.client.cache.kept.expires = soon
	if _, failed := s.client.fetchAll(t.Context(), s.named[:1]); failed[0] != nil || count.Load() != 2 {
		t.Errorf("%v, fetched %d times", failed, count.Load())
	}
	_, err := Load(t.Context(), append(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN=wrong"), nil)
	if err == nil || !strings.Contains(err.Error(), "fetch secret a (secretsmanager:id0): fetch credentials: CredentialsUnavailable (status 403)") {
		t.Errorf("error = %v", err)
	}
}

func TestCredentialsEndpoint(t *testing.T) {
	for text, ok := range map[string]bool{
		"http://127.0.0.1:9001/c": true, "http://localhost/c": true, "http://[::1]/c": true, "http://169.254.100.1:9001/c": true, "http://[fd00:ec2::23]/": true,
		"https://example.com/c": true, "http://example.com/c": false, "http://10.0.0.1/": false, "ftp://127.0.0.1/": false, "http://u:p@127.0.0.1/": false,
	} {
		_, err := parseCredentials(map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": text})
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzCredentials(f *testing.F) {
	f.Add([]byte(`{"AccessKeyId":"a","SecretAccessKey":"b","Token":"c","Expiration":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"Code":"Failed"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := readCredentials(data); err == nil && (c.id == "" || c.key == "") {
			t.Errorf("%+v", c)
		}
	})
}

// A reader sees the old value or the new one, never none or half of one.
func TestReplacementIsAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	values := []string{strings.Repeat("a", 60000), strings.Repeat("b", 50000)}
	if err := writeFile(path, []byte(values[0])); err != nil {
		t.Fatal(err)
	}
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range 500 {
			if err := writeFile(path, []byte(values[i%2])); err != nil {
				t.Error(err)
			}
		}
	})
	done := make(chan struct{})
	go func() { writing.Wait(); close(done) }()
	for {
		data, err := os.ReadFile(path)
		if err != nil || string(data) != values[0] && string(data) != values[1] {
			t.Fatalf("read %d bytes, %v", len(data), err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
