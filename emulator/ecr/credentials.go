package ecr

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

type authorization struct {
	AuthorizationData []authorizationData `json:"authorizationData"`
}

type authorizationData struct {
	AuthorizationToken string    `json:"authorizationToken"`
	ExpiresAt          wire.Time `json:"expiresAt"`
	ProxyEndpoint      string    `json:"proxyEndpoint"`
}

func (s *Store) getAuthorizationToken(ctx context.Context, _ *struct{}) (authorization, error) {
	expires := s.opts.Now().Add(tokenLife).UTC()
	scheme := "https://"
	if onLoopback(wire.From(ctx).Host) {
		scheme = "http://"
	}
	token := base64.StdEncoding.EncodeToString([]byte(userName + ":" + password(s.opts.Account, s.opts.Region, wire.From(ctx).AccessKey, expires)))
	return authorization{[]authorizationData{{token, wire.Time{Time: expires}, scheme + s.registryHost(ctx)}}}, nil
}

// registryHost is where the registry is: AWS's own name, or the very address that the client found the API at where that is on loopback.
func (s *Store) registryHost(ctx context.Context) string {
	if host := wire.From(ctx).Host; onLoopback(host) {
		return host
	}
	return s.opts.Account + ".dkr.ecr." + s.opts.Region + ".amazonaws.com"
}

func onLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || ip != nil && (ip.IsLoopback() || ip.IsLinkLocalUnicast())
}

// password tells whose registry it is for, so that one server can be the registry of several accounts and regions.
func password(account, region, caller string, expires time.Time) string {
	data, _ := json.Marshal(passwordData{account, region, expires.Unix(), caller}) // plain text and numbers
	return base64.RawURLEncoding.EncodeToString(data)
}

type passwordData struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Expires int64  `json:"expiration"`
	Caller  string `json:"caller"` // whose access key it was given to
}

// Place tells which account's registry, in which region, a request of the distribution API is for: by the host's name or else by its password.
func Place(r *http.Request) (account, region string, ok bool) {
	if m := registryName.FindStringSubmatch(r.Host); m != nil {
		return m[1], m[2], true
	}
	p, ok := login(r)
	return p.Account, p.Region, ok
}

// Caller tells the access key that the password of a request of the distribution API was given to; "" where it has none.
func Caller(r *http.Request) string {
	p, _ := login(r)
	return p.Caller
}

func login(r *http.Request) (passwordData, bool) {
	user, secret, ok := r.BasicAuth()
	if !ok || user != userName {
		return passwordData{}, false
	}
	var p passwordData
	data, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil || json.Unmarshal(data, &p) != nil || p.Account == "" || p.Region == "" {
		return passwordData{}, false
	}
	return p, true
}
