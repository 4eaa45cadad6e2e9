// Package event turns a Lambda event into the HTTP request that it carries, or
// into a POST of itself, and an HTTP answer into what the event's sender
// expects. It knows formats only: no network, no processes.
//
// An HTTP request comes as the payload of function URLs and API Gateway HTTP
// APIs, format 2.0, of API Gateway REST APIs, format 1.0:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
// or of an Application Load Balancer:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
// The provider of this project adds a member "faasLambda" (see Envelope).
package event

import (
	"errors"
	"io"
	"net/http"
)

// ErrInvalid says that an event looks like an HTTP request and cannot be one.
var ErrInvalid = errors.New("invalid event")

// Shape is what the sender of an event expects as its answer.
type Shape int

const (
	// Raw is any JSON that is no HTTP request: the answer is the response's body.
	Raw Shape = iota
	// Enveloped is a request of our own provider: a stream with HTTP metadata.
	Enveloped
	// V2 is a function URL's or HTTP API's request: a JSON object, or a stream
	// with HTTP metadata where the function URL is configured so.
	V2
	// V1 is a REST API's request: a JSON object whose headers may have several
	// values, or a stream like that of V2.
	V1
	// ALB is a load balancer's request: a JSON object with a status line, its
	// headers single or multi-valued as the request's are.
	ALB
)

// Event is a parsed event.
type Event struct {
	Shape  Shape
	Method string
	Target string // path and query, as they stand in a request line
	Host   string
	Remote string // the client's address
	Header http.Header
	Body   io.Reader // to be read to its end, or until it fails; nil with Fetch
	Length int64     // of Body; -1 when unknown
	Fetch  *Fetch    // where the body lies; nil when it is in the event

	Multi bool // ALB: the answer's headers are multi-valued

	// What a Raw event of a trigger says of itself, "" otherwise.
	Source    string // such as aws:sqs, aws:s3, aws.events
	SourceARN string
	Type      string // such as EventBridge's detail-type
}

// newRaw returns the event that is POSTed as it is.
func newRaw(body io.Reader, length int64) *Event {
	return &Event{
		Shape: Raw, Method: http.MethodPost, Target: "/", Host: "lambda",
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   body, Length: length,
	}
}
