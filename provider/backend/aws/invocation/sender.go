package invocation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
)

// Sender sends invocations, and may be used concurrently. A few headers and a
// signature are all that there is to one: what the SDK's client does around it takes
// longer than the rest of the provider's hop, and its event streams cost a goroutine
// and a channel each. Credentials, endpoint, signer and transport are the SDK's.
type Sender struct {
	transport http.RoundTripper
	options   lambda.Options
	signer    *v4.Signer
	agent     string
	endpoint  atomic.Pointer[url.URL] // once it is known
	clock     *clock.Clock
}

// New makes a sender with the options of an SDK's client for Lambda, over the
// transport that is under its client, which signs by clock.
func New(o lambda.Options, transport http.RoundTripper, clock *clock.Clock) *Sender {
	return &Sender{transport: transport, options: o, signer: v4.NewSigner(), agent: "faas-lambda aws-sdk-go-v2/" + aws.SDKVersion, clock: clock}
}

// address returns Lambda's endpoint.
func (s *Sender) address(ctx context.Context) (url.URL, error) {
	if known := s.endpoint.Load(); known != nil {
		return *known, nil
	}
	o := s.options
	found, err := o.EndpointResolverV2.ResolveEndpoint(ctx, lambda.EndpointParameters{
		Region: &o.Region, Endpoint: o.BaseEndpoint,
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	}.WithDefaults())
	if err != nil {
		return url.URL{}, fmt.Errorf("find endpoint of Lambda in region %q: %w", o.Region, err)
	}
	s.endpoint.Store(&found.URI)
	return found.URI, nil
}

// Send sends an invocation and returns the answer, whose body the caller closes: an
// event stream, for NewStream, or for Accepted that of an invocation that nobody waits
// for. An answer that is an error is returned as one, with AWS's code.
//
// A function that cannot take invocations yet is asked again for as long as wait,
// until ctx ends. A connection that could not be made is tried again, since nothing
// was sent then, and so is a request whose signature our wrong clock made old, which
// no function has seen; nothing else is: a function must not run twice because an
// answer was lost.
func (s *Sender) Send(ctx context.Context, call Call, wait time.Duration) (*http.Response, error) {
	deadline := time.Now().Add(wait)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		answer, err := s.send(ctx, call)
		if err == nil || !NotReady(err) || time.Now().Add(pause).After(deadline) {
			return answer, err
		}
		if err := clock.Pause(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// send sends an invocation, and once more when the clock was wrong.
func (s *Sender) send(ctx context.Context, call Call) (*http.Response, error) {
	answer, err := s.attempt(ctx, call)
	if err == nil {
		return answer, nil
	}
	var refused *refusal
	if errors.As(err, &refused) && s.clock.Corrected(refused.code, refused.at) {
		return s.attempt(ctx, call)
	}
	return nil, err
}

// attempt sends an invocation, signed for now.
func (s *Sender) attempt(ctx context.Context, call Call) (*http.Response, error) {
	r, err := s.request(ctx, call)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		r.Body = call.Payload.Open()
		answer, err := s.transport.RoundTrip(r)
		if err == nil && answer.StatusCode/100 == 2 {
			return answer, nil
		}
		if err == nil {
			return nil, readError(answer)
		}
		if attempt == dialAttempts || !awserr.NotSent(err) {
			return nil, err
		}
		if err := clock.Pause(ctx, time.Duration(attempt)*50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// dialAttempts is how often a connection is tried to be made.
const dialAttempts = 3

// request returns the signed request without its body.
func (s *Sender) request(ctx context.Context, call Call) (*http.Request, error) {
	target, err := s.address(ctx)
	if err != nil {
		return nil, err
	}
	// Names are checked: nothing in them needs escaping.
	if call.Event {
		target.Path += "/2015-03-31/functions/" + call.Function + "/invocations"
	} else {
		target.Path += "/2021-11-15/functions/" + call.Function + "/response-streaming-invocations"
	}
	if call.Qualifier != "" {
		target.RawQuery = "Qualifier=" + url.QueryEscape(call.Qualifier)
	}
	sent := call.Payload
	r := &http.Request{
		Method: http.MethodPost, URL: &target, Host: target.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/octet-stream"}, "User-Agent": {s.agent}},
		ContentLength: int64(len(sent.Bytes())),
		GetBody:       func() (io.ReadCloser, error) { return sent.Open(), nil },
	}
	if call.Event {
		r.Header["X-Amz-Invocation-Type"] = []string{"Event"}
	}
	if call.Trace != "" {
		r.Header["X-Amzn-Trace-Id"] = []string{call.Trace}
	}
	r = r.WithContext(ctx)
	credentials, err := s.options.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("get credentials: %w", err)
	}
	sum := sha256.Sum256(sent.Bytes())
	if err := s.signer.SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), "lambda", s.options.Region, s.clock.Now()); err != nil {
		return nil, fmt.Errorf("sign request: %w", err)
	}
	return r, nil
}
