package payload

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
	"testing"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// encode returns the payload of an invocation where there is no bucket.
func encode(t *testing.T, r *http.Request) ([]byte, error) {
	t.Helper()
	out, err := NewMaker(0).Make(t.Context(), r, Invocation{})
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
