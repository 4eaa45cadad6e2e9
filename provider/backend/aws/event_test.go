package aws

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func TestEvent(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://fn.example.com:8080/", strings.NewReader("<hello>"))
	r.URL = &url.URL{Path: "/a b", RawPath: "/a%20b", RawQuery: "q=1&r=%20"}
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header = http.Header{
		"X-A": {"1", "2"}, "Accept": {"*/*"}, "Cookie": {"a=b; c=\"d\"", "e=f"}, "User-Agent": {"curl"}, "X-Call-Id": {"id"},
		"Connection": {"close, X-Hop"}, "X-Hop": {"1"}, "Te": {"trailers"}, "Upgrade": {"h2c"}, "Expect": {"100-continue"},
	}
	e, err := newEvent(r, 7, nil, time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	payload := appendBody(e.append(nil, nil), []byte("<hello>"))
	want := `{"version":"2.0","routeKey":"$default","rawPath":"/a%20b","rawQueryString":"q=1&r=%20","cookies":["a=b","c=\"d\"","e=f"],` +
		`"headers":{"content-length":"7","host":"fn.example.com:8080","accept":"*/*","user-agent":"curl","x-a":"1,2","x-call-id":"id"},` +
		`"requestContext":{"accountId":"anonymous","apiId":"faas-lambda","domainName":"fn.example.com:8080","domainPrefix":"fn",` +
		`"http":{"method":"POST","path":"/a b","protocol":"HTTP/1.1","sourceIp":"10.0.0.1","userAgent":"curl"},` +
		`"requestId":"id","routeKey":"$default","stage":"$default","time":"23/Nov/2026:01:02:03 +0000","timeEpoch":1795395723000},` +
		`"faasLambda":{"version":1,"multiValueHeaders":{"x-a":["1","2"]}},"isBase64Encoded":false,"body":"<hello>"}`
	if diff := cmp.Diff(want, string(payload)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// encode returns the payload of an invocation where there is no bucket.
func encode(t *testing.T, r *http.Request) ([]byte, error) {
	t.Helper()
	b := &Backend{budget: newBudget(0)}
	out, err := b.payloadFor(t.Context(), target{account: &account{wanted: noBucket}}, r, false)
	if err != nil {
		return nil, err
	}
	return out.data, nil
}

// incompressible returns n bytes that no compressor makes shorter.
func incompressible(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(out)
	return out
}

func TestEventRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		r    func() *http.Request
		kind error
	}{
		{"declared too long", func() *http.Request {
			r := httptest.NewRequest("POST", "/", bytes.NewReader(incompressible(1<<20)))
			r.ContentLength = 7 << 20
			return r
		}, backend.ErrTooLarge},
		{"too long, chunked", func() *http.Request {
			r := httptest.NewRequest("POST", "/", io.LimitReader(bytes.NewReader(incompressible(7<<20)), 7<<20))
			r.ContentLength = -1
			return r
		}, backend.ErrTooLarge},
		{"too long in base64", func() *http.Request {
			return httptest.NewRequest("POST", "/", bytes.NewReader(incompressible(5<<20)))
		}, backend.ErrTooLarge},
		{"header that is no text", func() *http.Request {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("X-Latin", "\xe4")
			return r
		}, backend.ErrInvalid},
		{"path that is no text", func() *http.Request {
			r := httptest.NewRequest("GET", "/", nil)
			r.URL = &url.URL{Path: "/\xe4", RawPath: "/\xe4"}
			return r
		}, backend.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := encode(t, c.r()); !errors.Is(err, c.kind) {
				t.Errorf("%v, want %v", err, c.kind)
			}
		})
	}
}

func FuzzEventBody(f *testing.F) {
	f.Add([]byte("hello \"world\"\n\u2028"))
	f.Add([]byte{0, 1, 0xff})
	f.Add(bytes.Repeat([]byte{0}, 100))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		payload, err := encode(t, r)
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Body            string
			IsBase64Encoded bool
		}
		if err := json.Unmarshal(payload, &e); err != nil {
			t.Fatal(err)
		}
		got := []byte(e.Body)
		if e.IsBase64Encoded {
			if got, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, body) {
			t.Errorf("%q became %q", body, got)
		}
		if len(payload) > base64.StdEncoding.EncodedLen(len(body))+1000 {
			t.Errorf("%d bytes took %d", len(body), len(payload))
		}
	})
}
