package loop_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/watchdog/watchdogtest"
)

// largeBody is more than ten times what Lambda passes on in a payload.
const largeBody = 64 << 20

// pattern is a body of n bytes, that compresses well without being trivial.
type pattern struct{ at, n int64 }

// page is what a pattern repeats.
var page = func() []byte {
	p := make([]byte, 1<<15)
	for i := range p {
		p[i] = byte(i >> 7)
	}
	return p
}()

func (p *pattern) Read(b []byte) (int, error) {
	if p.at == p.n {
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), p.n-p.at)], page[p.at%int64(len(page)):])
	p.at += int64(n)
	return n, nil
}

// sumOf is the digest of a pattern.
func sumOf(t *testing.T, n int64) string {
	t.Helper()
	sum := sha256.New()
	if _, err := io.Copy(sum, &pattern{n: n}); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func gzipped(t *testing.T, r io.Reader) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// bodyEvent is a request whose body is as said; the base64 of data when it is in
// the event.
func bodyEvent(path, said string, data []byte) []byte {
	text := fmt.Sprintf(`{"version":"2.0","rawPath":%q,"headers":{"content-type":"text/plain"},"requestContext":{"http":{"method":"POST","sourceIp":"203.0.113.7"}},`+
		`"isBase64Encoded":true,"faasLambda":{"version":2,"body":%s}`, path, said)
	if data != nil {
		text += `,"body":"` + base64.StdEncoding.EncodeToString(data) + `"`
	}
	return []byte(text + "}")
}

// store serves bodies as S3 does pre-signed URLs, or refuses to.
func store(t *testing.T, form []byte, tls bool) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plain", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(largeBody))
		_, _ = io.Copy(w, &pattern{n: largeBody})
	})
	mux.HandleFunc("GET /gzip", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(form) })
	mux.HandleFunc("GET /early", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(largeBody))
		_, _ = io.Copy(w, &pattern{n: largeBody / 2})
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("GET /forbidden", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<Error>%s</Error>", r.URL.RawQuery)
	})
	mux.HandleFunc("GET /elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/plain", http.StatusFound) })
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	mux.HandleFunc("GET /hang", hang)
	mux.HandleFunc("GET /stall", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(largeBody))
		_, _ = io.Copy(w, &pattern{n: 200_000})
		w.(http.Flusher).Flush()
		hang(w, r)
	})
	s := httptest.NewUnstartedServer(mux)
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// Bodies of many times the payload's limit pass through a bootstrap that does
// not grow.
func TestBodiesLargerThanThePayload(t *testing.T) {
	form := gzipped(t, &pattern{n: largeBody})
	plain, secure := store(t, form, false), store(t, form, true)
	certificate := filepath.Join(t.TempDir(), "ca.pem")
	pemBytes := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if err := os.WriteFile(certificate, pemBytes, 0o644); err != nil {
		t.Fatal(err)
	}
	p := startHTTP(t, "SSL_CERT_FILE="+certificate)
	sum := sumOf(t, largeBody)
	for name, c := range map[string]struct {
		said   string
		data   []byte
		length int64
	}{
		"gzip in the event":          {fmt.Sprintf(`{"encoding":"gzip","size":%d}`, largeBody), form, largeBody},
		"gzip of unknown size":       {`{"encoding":"gzip"}`, form, -1},
		"URL":                        {fmt.Sprintf(`{"url":"%s/plain?X-Amz-Signature=s","size":%d}`, plain.URL, largeBody), nil, largeBody},
		"URL without size":           {fmt.Sprintf(`{"url":"%s/plain"}`, plain.URL), nil, largeBody},
		"URL of gzip":                {fmt.Sprintf(`{"url":"%s/gzip","encoding":"gzip","size":%d}`, plain.URL, largeBody), nil, largeBody},
		"https, the image's own CA":  {fmt.Sprintf(`{"url":"%s/plain","size":%d}`, secure.URL, largeBody), nil, largeBody},
		"https, gzip of no size":     {fmt.Sprintf(`{"url":"%s/gzip","encoding":"gzip"}`, secure.URL), nil, -1},
		"URL on localhost by a name": {fmt.Sprintf(`{"url":"%s/plain"}`, strings.Replace(plain.URL, "127.0.0.1", "localhost", 1)), nil, largeBody},
	} {
		t.Run(name, func(t *testing.T) {
			m, got := split(t, invoke(t, p, bodyEvent("/sum", c.said, c.data)))
			if want := fmt.Sprintf("%d %d %s", c.length, largeBody, sum); m.StatusCode != 200 || string(got) != want {
				t.Errorf("status %d, %s, want %s", m.StatusCode, got, want)
			}
		})
	}
	if peak := p.peak(t); peak > 20 {
		t.Errorf("bootstrap grew to %.1f MB", peak)
	} else {
		t.Logf("bootstrap's peak: %.1f MB", peak)
	}
}

func TestBodiesThatCannotBeHad(t *testing.T) {
	form := gzipped(t, &pattern{n: largeBody})
	s := store(t, form, false)
	untrusted := store(t, form, true)
	nobody := watchdogtest.FreeAddr(t)
	p := startHTTP(t)
	forked := startProcess(t, built(t, ".."), "LAMBDA_TASK_ROOT="+taskRoot(t, launch.OfWatchdog, "fprocess=wc -c", "mode=serializing"))
	const secret = "X-Amz-Signature=secret"
	size := fmt.Sprintf(`"size":%d`, largeBody)
	for name, c := range map[string]struct {
		said string
		data []byte
		want string // in the answer's text
	}{
		"refused URL":    {`{"url":"` + s.URL + `/forbidden?` + secret + `"}`, nil, s.URL + "/forbidden: it answered status 403"},
		"redirect":       {`{"url":"` + s.URL + `/elsewhere?` + secret + `"}`, nil, "it answered status 302"},
		"ends early":     {`{"url":"` + s.URL + `/early?` + secret + `",` + size + `}`, nil, "/early: it ended early"},
		"other size":     {`{"url":"` + s.URL + `/plain?` + secret + `","size":5}`, nil, "67108864 bytes, 5 were announced"},
		"other form":     {`{"url":"` + s.URL + `/plain?` + secret + `","encoding":"gzip"}`, nil, "gzip: invalid header"},
		"form too long":  {`{"url":"` + s.URL + `/gzip?` + secret + `","encoding":"gzip","size":5}`, nil, "longer than the announced 5 bytes"},
		"form too short": {`{"url":"` + s.URL + `/gzip?` + secret + `","encoding":"gzip","size":67108865}`, nil, "ends after 67108864 of 67108865"},
		"nobody there":   {`{"url":"http://` + nobody + `/?` + secret + `"}`, nil, "connection refused"},
		"no certificate": {`{"url":"` + untrusted.URL + `/plain?` + secret + `"}`, nil, "certificate signed by unknown authority"},
		"plain and far":  {`{"url":"http://192.0.2.1/plain?` + secret + `"}`, nil, "must be https, or http on a loopback address"},
		"another scheme": {`{"url":"file:///etc/passwd?` + secret + `"}`, nil, "none of the form https://HOST/PATH?QUERY"},
		"no URL":         {`{"url":"http://%zz?` + secret + `"}`, nil, "none of the form"},
		"cut in event":   {`{"encoding":"gzip",` + size + `}`, form[:len(form)/2], "its gzip form ends early"},
	} {
		t.Run(name, func(t *testing.T) {
			for mode, p := range map[string]*runtimeProcess{"http": p, "serializing": forked} {
				m, got := split(t, invoke(t, p, bodyEvent("/sum", c.said, c.data)))
				if m.StatusCode != http.StatusBadGateway || !strings.Contains(string(got), c.want) || strings.Contains(string(got), "secret") || m.Headers["x-openfaas-internal"] != "bootstrap" {
					t.Errorf("%s: status %d %q, headers %v", mode, m.StatusCode, got, m.Headers)
				}
			}
		})
	}
	if r := invoke(t, p, bodyEvent("/", `{"url":"`+s.URL+`/early?`+secret+`",`+size+`}`, nil)); r.ErrorType != "Function.RequestBodyUnavailable" || strings.Contains(r.ErrorBody, "secret") {
		t.Errorf("an answer that had begun: %s %s", r.ErrorType, r.ErrorBody)
	}
	if r := invoke(t, p, []byte(`1`)); string(r.Body) != "1" {
		t.Errorf("the next invocation: %q", r.Body)
	}
}

func TestBodiesThatDoNotCome(t *testing.T) {
	s := store(t, nil, false)
	p := startHTTP(t)
	p.api.Timeout = 600 * time.Millisecond
	for _, path := range []string{"/hang", "/stall"} {
		began := time.Now()
		m, _ := split(t, invoke(t, p, bodyEvent("/sum", `{"url":"`+s.URL+path+`?secret"}`, nil)))
		if took := time.Since(began); m.StatusCode != http.StatusGatewayTimeout || took > 25*time.Second {
			t.Errorf("%s: status %d after %s", path, m.StatusCode, took)
		}
	}
	p.api.Timeout = time.Minute
	began := time.Now()
	m, _ := split(t, invoke(t, p, bodyEvent("/refuse", `{"url":"`+s.URL+`/stall?secret"}`, nil)))
	if took := time.Since(began); m.StatusCode != http.StatusForbidden || took > 50*time.Second {
		t.Errorf("an answer that needs no body: status %d after %s", m.StatusCode, took)
	}
}
