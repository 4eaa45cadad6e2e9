package wire

import (
	"context"
	"net/http"
	"strings"
)

// Caller is what a request tells of who sent it and where to.
type Caller struct {
	Host      string // host:port as the client addressed the endpoint
	AccessKey string // "" for a request without a signature
	Region    string // of the signature; "" without one
	Service   string // of the signature, as in its credential scope; "" without one
}

type callerKey struct{}

// From returns who makes the call that an operation answers.
func From(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

func withCaller(r *http.Request) context.Context {
	return context.WithValue(r.Context(), callerKey{}, CallerOf(r))
}

// CallerOf reads a request's signature, in its header or, presigned, in its query. Nothing is verified.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func CallerOf(r *http.Request) Caller {
	c := Caller{Host: r.Host}
	credential := ""
	if header := r.Header.Get("Authorization"); strings.HasPrefix(header, "AWS4-") {
		_, rest, _ := strings.Cut(header, "Credential=")
		credential, _, _ = strings.Cut(rest, ",")
	} else if strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") {
		credential = r.URL.Query().Get("X-Amz-Credential")
	}
	c.scope(strings.TrimSpace(credential))
	return c
}

// scope reads KEY/DATE/REGION/SERVICE/aws4_request, where SigV4a leaves the region out and a key may hold slashes.
func (c *Caller) scope(credential string) {
	parts := strings.Split(credential, "/")
	last := len(parts) - 1
	if last < 3 || parts[last] != "aws4_request" {
		return
	}
	c.Service = parts[last-1]
	key := last - 2 // where the key ends: before the date
	if !isDate(parts[key]) {
		c.Region = parts[key]
		key--
	}
	if key > 0 && isDate(parts[key]) {
		c.AccessKey = strings.Join(parts[:key], "/")
	}
}

func isDate(s string) bool {
	return len(s) == len("20060102") && strings.Trim(s, "0123456789") == ""
}
