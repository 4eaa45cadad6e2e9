package aws

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/schemas"
	"github.com/aws/smithy-go/transport/http/protocol/restjson1"
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

// ownProtocol gives one call a protocol of its own: the SDK's keeps the decoder
// of event streams in the client's, where streams at the same time would share
// it without a lock (smithy-go 1.28, internal/eventstream).
func ownProtocol(o *lambda.Options) {
	o.Protocol = restjson1.New(schemas.AWSGirApiService)
}
