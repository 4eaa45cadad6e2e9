package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

// credentials sign requests.
type credentials struct {
	id      string
	key     string
	token   string    // "" for none
	expires time.Time // zero for never
}

// credentialSource is where credentials come from: the environment, where Lambda
// puts those of the function's role, or, in a function with SnapStart, whose
// snapshot must hold none, an endpoint on the same machine.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html
type credentialSource struct {
	fixed credentials
	uri   *url.URL // nil when fixed are the credentials
	token string   // the Authorization that uri wants
}

func parseCredentials(vars map[string]string) (credentialSource, error) {
	c := credentialSource{fixed: credentials{id: vars["AWS_ACCESS_KEY_ID"], key: vars["AWS_SECRET_ACCESS_KEY"], token: vars["AWS_SESSION_TOKEN"]}}
	if c.fixed.id != "" && c.fixed.key != "" {
		return c, nil
	}
	const variable = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	if vars[variable] == "" {
		return c, fmt.Errorf("find credentials: neither AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY nor %s is set", variable)
	}
	u, err := url.Parse(vars[variable])
	if err != nil || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !onThisMachine(u.Hostname())) {
		return c, invalid(variable, errors.New("is neither an https URL nor an http URL of this machine"))
	}
	c.uri, c.token = u, vars["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
	return c, nil
}

// onThisMachine says whether credentials may go to host in the clear: loopback
// and link-local addresses do not leave the machine.
func onThisMachine(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr == netip.MustParseAddr("fd00:ec2::23"))
}

// credentialCache keeps what the endpoint gave until it expires.
type credentialCache struct {
	mu   sync.Mutex // guards kept; held while asking, so that one asks for all
	kept credentials
}

// expiryMargin is how long before they expire credentials are renewed.
const expiryMargin = 5 * time.Minute

func (c *client) credentials(ctx context.Context) (credentials, error) {
	source := c.config.credentials
	if source.uri == nil {
		return source.fixed, nil
	}
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	if c.cache.kept.id != "" && (c.cache.kept.expires.IsZero() || wallClock().Before(c.cache.kept.expires.Add(-expiryMargin))) {
		return c.cache.kept, nil
	}
	req := &http.Request{Method: http.MethodGet, URL: source.uri, Header: http.Header{}}
	if source.token != "" {
		req.Header.Set("Authorization", source.token)
	}
	var idle pool
	defer idle.close()
	got, err := c.exchange(ctx, &idle, req)
	if err != nil {
		return credentials{}, fmt.Errorf("fetch credentials: %w", err)
	}
	if got.status != http.StatusOK {
		return credentials{}, fmt.Errorf("fetch credentials: %w", &apiError{status: got.status, code: "CredentialsUnavailable"})
	}
	c.cache.kept, err = readCredentials(got.body)
	return c.cache.kept, err
}

func readCredentials(data []byte) (credentials, error) {
	var got struct {
		AccessKeyId, SecretAccessKey, Token string //nolint:revive // AWS's names
		Expiration                          time.Time
	}
	if json.Unmarshal(data, &got) != nil || got.AccessKeyId == "" || got.SecretAccessKey == "" {
		return credentials{}, errors.New("fetch credentials: the endpoint's answer holds none")
	}
	return credentials{id: got.AccessKeyId, key: got.SecretAccessKey, token: got.Token, expires: got.Expiration}, nil
}
