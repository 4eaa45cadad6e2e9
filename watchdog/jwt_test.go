package watchdog

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// issuer is a gateway that signs with keys of every type.
type issuer struct {
	url     string
	rsa     *rsa.PrivateKey
	ec      *ecdsa.PrivateKey
	ed      ed25519.PrivateKey
	fetched int
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	var err error
	if i.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if i.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, i.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	point, err := i.ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.url, i.url+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.fetched++
		fmt.Fprintf(w, `{"keys":[{"kid":"rsa","kty":"RSA","n":%q,"e":%q},{"kid":"ec","kty":"EC","crv":"P-256","x":%q,"y":%q},{"kid":"ed","kty":"OKP","crv":"Ed25519","x":%q}]}`,
			b64(i.rsa.N.Bytes()), b64(big.NewInt(int64(i.rsa.E)).Bytes()), b64(point[1:33]), b64(point[33:]), b64(i.ed.Public().(ed25519.PublicKey)))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	i.url = s.URL
	return i
}

// token signs claims with the key of that id, saying that it did so by algorithm.
func (i *issuer) token(t *testing.T, algorithm, kid string, claims map[string]any) string {
	t.Helper()
	head, err := json.Marshal(map[string]string{"alg": algorithm, "kid": kid})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed := b64(head) + "." + b64(payload)
	digest := sha256.Sum256([]byte(signed))
	var signature []byte
	switch kid {
	case "ec":
		r, s, err := ecdsa.Sign(rand.Reader, i.ec, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case "ed":
		signature = ed25519.Sign(i.ed, []byte(signed))
	default:
		if strings.HasPrefix(algorithm, "PS") {
			signature, err = rsa.SignPSS(rand.Reader, i.rsa, crypto.SHA256, digest[:], nil)
		} else {
			signature, err = rsa.SignPKCS1v15(rand.Reader, i.rsa, crypto.SHA256, digest[:])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return signed + "." + b64(signature)
}

func TestTokens(t *testing.T) {
	i := newIssuer(t)
	now := time.Now().Unix()
	claims := func(change ...any) map[string]any {
		c := map[string]any{"iss": i.url, "aud": []string{i.url}, "exp": now + 3600, "nbf": now,
			"function": map[string]any{"permissions": []string{"dev:*"}, "audience": []string{"dev:fn"}}}
		for n := 0; n < len(change); n += 2 {
			c[change[n].(string)] = change[n+1]
		}
		return c
	}
	may := func(permissions, audience []string) map[string]any {
		return claims("function", map[string]any{"permissions": permissions, "audience": audience})
	}
	good := i.token(t, "RS256", "rsa", claims())
	for name, c := range map[string]struct {
		header string
		status int
	}{
		"none":                  {"", 401},
		"RS256":                 {"Bearer " + good, 200},
		"without Bearer":        {good, 200},
		"PS256":                 {i.token(t, "PS256", "rsa", claims()), 200},
		"ES256":                 {i.token(t, "ES256", "ec", claims()), 200},
		"EdDSA":                 {i.token(t, "EdDSA", "ed", claims()), 200},
		"audience is a string":  {i.token(t, "RS256", "rsa", claims("aud", i.url)), 200},
		"no end":                {i.token(t, "RS256", "rsa", claims("exp", nil)), 200},
		"not a token":           {"Bearer x", 401},
		"two parts":             {"Bearer a.b", 401},
		"not base64":            {"Bearer !.!.!", 401},
		"algorithm none":        {i.token(t, "none", "rsa", claims()), 401},
		"algorithm of another":  {i.token(t, "ES256", "rsa", claims()), 401},
		"HMAC with public key":  {i.token(t, "HS256", "rsa", claims()), 401},
		"unknown key":           {i.token(t, "RS256", "other", claims()), 401},
		"changed":               {strings.Replace(good, ".", ".e30", 1), 401},
		"signature cut":         {good[:len(good)-8], 401},
		"of another issuer":     {i.token(t, "RS256", "rsa", claims("iss", "http://evil")), 401},
		"for another audience":  {i.token(t, "RS256", "rsa", claims("aud", "http://evil")), 401},
		"expired":               {i.token(t, "RS256", "rsa", claims("exp", now-5)), 401},
		"not yet valid":         {i.token(t, "RS256", "rsa", claims("nbf", now+1800)), 401},
		"all functions":         {i.token(t, "RS256", "rsa", may([]string{"*"}, nil)), 200},
		"this function":         {i.token(t, "RS256", "rsa", may([]string{"dev:fn"}, []string{"*"})), 200},
		"no permission":         {i.token(t, "RS256", "rsa", may(nil, nil)), 403},
		"another namespace":     {i.token(t, "RS256", "rsa", may([]string{"prod:*"}, nil)), 403},
		"another function":      {i.token(t, "RS256", "rsa", may([]string{"dev:f"}, nil)), 403},
		"pattern is not search": {i.token(t, "RS256", "rsa", may([]string{"ev:*"}, nil)), 403},
		"not for this audience": {i.token(t, "RS256", "rsa", may([]string{"*"}, []string{"dev:other"})), 403},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := newAuthenticator(JWTConfig{Name: "fn", Namespace: "dev"}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Auth-Seconds") == "" {
					t.Error("the function is not told how long it took")
				}
			}), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			a.issuerAt = i.url + "/.well-known/openid-configuration"
			if err := a.start(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/", nil)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("status %d, want %d: %s", w.Code, c.status, w.Body)
			}
			if w.Code != 200 && w.Header().Get("X-OpenFaaS-Internal") != "faas-middleware" {
				t.Errorf("header %v", w.Header())
			}
			if (w.Code == 401) != (w.Header().Get("WWW-Authenticate") == "Bearer realm=IAM function invoke") {
				t.Errorf("header %v", w.Header())
			}
		})
	}
}

func TestUnknownKeysAreFetchedOnceInAWhile(t *testing.T) {
	i := newIssuer(t)
	a := &authenticator{issuerAt: i.url + "/.well-known/openid-configuration", function: "dev:fn", log: slog.New(slog.DiscardHandler)}
	for range 5 {
		if _, _, err := a.key(t.Context(), "unknown"); err == nil {
			t.Error("an unknown key was found")
		}
	}
	if key, _, err := a.key(t.Context(), "rsa"); err != nil || key == nil || i.fetched != 1 {
		t.Errorf("key %v, %v; fetched %d times", key, err, i.fetched)
	}
}

func TestStartNeedsTheIssuer(t *testing.T) {
	cfg := Config{Mode: ModeStreaming, Command: []string{"cat"}, JWT: &JWTConfig{Name: "fn", Namespace: "dev"}}
	w, err := New(cfg, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	w.auth.issuerAt = s.URL
	if err := w.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "jwt_auth") || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v", err)
	}
}

func FuzzToken(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.e30.", "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}")
	f.Add("a.b.c", `{"kty":"EC","crv":"P-256","x":"","y":""}`)
	f.Fuzz(func(t *testing.T, token, key string) {
		head, _, signature, err := splitToken(token)
		if err != nil {
			return
		}
		var k jwk
		if json.Unmarshal([]byte(key), &k) != nil {
			return
		}
		public, err := k.public()
		if err != nil {
			return
		}
		if verifySignature(head.Algorithm, public, token[:strings.LastIndexByte(token, '.')], signature) == nil {
			t.Errorf("a forged token: %s", token)
		}
	})
}
