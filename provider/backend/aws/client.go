package aws

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// plainBodies is an HTTP client for the SDK that hides that a request's body
// has a WriteTo.
//
// The SDK closes the body of a request as soon as the answer has begun, and its
// WriteTo then returns io.EOF (smithy-go 1.28, transport/http/internal/io), which
// io.Copy takes for a failure. When that happens before net/http has made sure
// that the body holds no more than it said, net/http closes the connection in
// the middle of the answer: one of some twenty quick functions on a near network
// was cut off. Read returns io.EOF as well, where it is none.
type plainBodies struct{ aws.HTTPClient }

func (c plainBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.HTTPClient.Do(r)
}

// transportOf returns what carries the requests of an SDK's client.
func transportOf(client aws.HTTPClient) http.RoundTripper {
	switch c := client.(type) {
	case plainBodies:
		return transportOf(c.HTTPClient)
	case interface{ GetTransport() *http.Transport }:
		return c.GetTransport()
	}
	return carrier{client}
}

// carrier is an SDK's client as a RoundTripper.
type carrier struct{ client aws.HTTPClient }

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) { return c.client.Do(r) }
