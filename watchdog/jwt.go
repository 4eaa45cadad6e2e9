package watchdog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// OpenFaaS' gateway issues the tokens of its IAM for functions. It is found at
// these addresses, in the cluster and for development.
const (
	gatewayIssuer = "http://gateway.openfaas:8080/.well-known/openid-configuration"
	localIssuer   = "http://127.0.0.1:8000/.well-known/openid-configuration"

	namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	leeway        = time.Second
	refreshAfter  = 10 * time.Second // least time between two looks for unknown keys
)

// authenticator lets requests through that carry a token of OpenFaaS' IAM which
// permits to invoke this function.
type authenticator struct {
	next     http.Handler
	issuerAt string
	function string // namespace:name
	log      *slog.Logger
	debug    bool

	mu     sync.Mutex // guards the fields below
	issuer string
	keys   map[string]any // public keys by id
	asked  time.Time      // when keys were fetched last
}

func newAuthenticator(cfg JWTConfig, next http.Handler, log *slog.Logger) (*authenticator, error) {
	namespace := cfg.Namespace
	if namespace == "" {
		text, err := os.ReadFile(namespaceFile)
		if err != nil {
			return nil, fmt.Errorf("OPENFAAS_NAMESPACE: is empty: jwt_auth needs it: %w", err)
		}
		namespace = string(text)
	}
	a := &authenticator{next: next, issuerAt: gatewayIssuer, function: namespace + ":" + cfg.Name, log: log, debug: cfg.Debug}
	if cfg.Local {
		a.issuerAt = localIssuer
	}
	return a, nil
}

// start fetches the issuer's keys.
func (a *authenticator) start(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fetch(ctx)
}

// fetch is called with mu held.
func (a *authenticator) fetch(ctx context.Context) error {
	a.asked = time.Now()
	var issuer struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := getJSON(ctx, a.issuerAt, &issuer); err != nil {
		return err
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := getJSON(ctx, issuer.Keys, &set); err != nil {
		return err
	}
	keys := make(map[string]any, len(set.Keys))
	for _, k := range set.Keys {
		key, err := k.public()
		if err != nil {
			return fmt.Errorf("read key %q of %s: %w", k.ID, issuer.Keys, err)
		}
		keys[k.ID] = key
	}
	a.issuer, a.keys = issuer.Issuer, keys
	if a.debug {
		a.log.Info("keys of tokens", "issuer", issuer.Issuer, "jwks", issuer.Keys, "ids", slices.Sorted(maps.Keys(keys)))
	}
	return nil
}

// key returns the key called id. An unknown one may be new: the issuer is asked
// again, but not for every forged token.
func (a *authenticator) key(ctx context.Context, id string) (key any, issuer string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys[id] == nil && time.Since(a.asked) > refreshAfter {
		if err := a.fetch(ctx); err != nil {
			return nil, "", err
		}
	}
	if a.keys[id] == nil {
		return nil, "", fmt.Errorf("invalid kid: %s", id)
	}
	return a.keys[id], a.issuer, nil
}

// getJSON asks with the client that the proxy has: http.Client would add an
// eighth to the size of every package.
func getJSON(ctx context.Context, address string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := get(ctx, address)
	if err == nil {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		return fmt.Errorf("ask the issuer of tokens at %s: %w", address, err)
	}
	return nil
}

func get(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	up, err := newUpstream(u)
	if err != nil {
		return nil, err
	}
	c, err := up.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	defer context.AfterFunc(ctx, c.abort)()
	header := http.Header{"User-Agent": {"openfaas-watchdog"}, "Accept": {"application/json"}}
	res, err := c.roundTrip(&outgoing{method: http.MethodGet, target: u.RequestURI(), host: u.Host, header: header}, &sending{})
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.200s", res.StatusCode, body)
	}
	return body, err
}

func (a *authenticator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	claims, err := a.verify(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	switch {
	case err != nil:
		w.Header().Set("WWW-Authenticate", "Bearer realm=IAM function invoke")
		a.deny(w, r, http.StatusUnauthorized, err)
	case !claims.permits(a.function):
		a.deny(w, r, http.StatusForbidden, errors.New("insufficient permissions"))
	default:
		r.Header.Set("X-Auth-Seconds", strconv.FormatFloat(time.Since(began).Seconds(), 'f', 6, 64))
		a.next.ServeHTTP(w, r)
	}
}

func (a *authenticator) deny(w http.ResponseWriter, r *http.Request, status int, err error) {
	a.log.Info("access denied", "method", r.Method, "path", r.URL.Path, "status", status, "reason", err.Error())
	w.Header().Set("X-OpenFaaS-Internal", "faas-middleware")
	http.Error(w, err.Error(), status)
}

// claims are what a token says.
type claims struct {
	Issuer    string    `json:"iss"`
	Audience  audiences `json:"aud"`
	Expires   *float64  `json:"exp"`
	NotBefore *float64  `json:"nbf"`
	Function  struct {
		Permissions []string `json:"permissions"`
		Audience    []string `json:"audience"`
	} `json:"function"`
}

// audiences is one string or several.
type audiences []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audiences) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

func (a *authenticator) verify(ctx context.Context, token string) (claims, error) {
	var c claims
	if token == "" {
		return c, errors.New("a Bearer must be present in Authorization header")
	}
	head, payload, signature, err := splitToken(token)
	if err != nil {
		return c, fmt.Errorf("failed to parse JWT token: %w", err)
	}
	key, issuer, err := a.key(ctx, head.KeyID)
	if err == nil {
		err = verifySignature(head.Algorithm, key, token[:strings.LastIndexByte(token, '.')], signature)
	}
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	if err == nil {
		err = c.valid(issuer, time.Now())
	}
	if err != nil {
		return c, fmt.Errorf("failed to parse JWT token: %w", err)
	}
	return c, nil
}

// valid checks what is said of issuer and time. The gateway is issuer and
// audience of functions' tokens.
func (c claims) valid(issuer string, now time.Time) error {
	seconds := func(s float64) time.Time { return time.UnixMilli(int64(s * 1000)) }
	switch {
	case c.Issuer != issuer:
		return errors.New("token has invalid issuer")
	case !slices.Contains(c.Audience, issuer):
		return errors.New("token has invalid audience")
	case c.Expires != nil && now.Add(-leeway).After(seconds(*c.Expires)):
		return errors.New("token is expired")
	case c.NotBefore != nil && now.Add(leeway).Before(seconds(*c.NotBefore)):
		return errors.New("token is not valid yet")
	}
	return nil
}

// permits reports whether the token is for function and allows to invoke it. In
// both lists * stands for anything.
func (c claims) permits(function string) bool {
	matches := func(pattern string) bool { return wildcard(pattern, function) }
	return (len(c.Function.Audience) == 0 || slices.ContainsFunc(c.Function.Audience, matches)) &&
		slices.ContainsFunc(c.Function.Permissions, matches)
}

// wildcard reports whether s is pattern, in which * stands for anything.
func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, parts[0])
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return ok && strings.HasSuffix(s, parts[len(parts)-1])
}
