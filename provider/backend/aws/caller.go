package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/payload"
)

// caller invokes functions. Invocations are the one call whose cost counts, and
// a few headers and a signature are all that there is to them: what the SDK's
// client does around one takes longer than the rest of the provider's hop, and
// its event streams cost a goroutine and a channel each. Credentials, endpoint,
// signer and transport are the SDK's.
type caller struct {
	transport http.RoundTripper
	options   lambda.Options
	signer    *v4.Signer
	agent     string
	endpoint  atomic.Pointer[url.URL] // once it is known
	clock     *clock
}

// newCaller makes a caller with the options of an SDK's client, which signs by
// clock.
func newCaller(o lambda.Options, transport http.RoundTripper, clock *clock) *caller {
	return &caller{transport: transport, options: o, signer: v4.NewSigner(), agent: "faas-lambda aws-sdk-go-v2/" + aws.SDKVersion, clock: clock}
}

// address returns Lambda's endpoint.
func (c *caller) address(ctx context.Context) (url.URL, error) {
	if known := c.endpoint.Load(); known != nil {
		return *known, nil
	}
	o := c.options
	found, err := o.EndpointResolverV2.ResolveEndpoint(ctx, lambda.EndpointParameters{
		Region: &o.Region, Endpoint: o.BaseEndpoint,
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	}.WithDefaults())
	if err != nil {
		return url.URL{}, fmt.Errorf("find endpoint of Lambda in region %q: %w", o.Region, err)
	}
	c.endpoint.Store(&found.URI)
	return found.URI, nil
}

// call is one invocation.
type call struct {
	function, qualifier string
	payload             *payload.Payload
	event               bool   // nobody waits for the answer
	trace               string // X-Ray's header; may be empty
}

// invoke sends an invocation and returns the answer, whose body the caller
// closes; an answer that is an error is returned as such. A connection that
// could not be made is tried again, since nothing was sent then, and so is a
// request whose signature our wrong clock made old, which no function has seen;
// nothing else is: a function must not run twice because an answer was lost.
func (c *caller) invoke(ctx context.Context, in call) (*http.Response, error) {
	answer, err := c.attempt(ctx, in)
	if c.clock.corrected(err) {
		return c.attempt(ctx, in)
	}
	return answer, err
}

// attempt sends an invocation, signed for now.
func (c *caller) attempt(ctx context.Context, in call) (*http.Response, error) {
	r, err := c.request(ctx, in)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		r.Body = in.payload.Open()
		answer, err := c.transport.RoundTrip(r)
		if err == nil && answer.StatusCode/100 == 2 {
			return answer, nil
		}
		if err == nil {
			return nil, readError(answer)
		}
		if attempt == dialAttempts || !awserr.NotSent(err) {
			return nil, err
		}
		if err := pause(ctx, time.Duration(attempt)*50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// dialAttempts is how often a connection is tried to be made.
const dialAttempts = 3

// request returns the signed request without its body.
func (c *caller) request(ctx context.Context, in call) (*http.Request, error) {
	target, err := c.address(ctx)
	if err != nil {
		return nil, err
	}
	// Names are checked: nothing in them needs escaping.
	if in.event {
		target.Path += "/2015-03-31/functions/" + in.function + "/invocations"
	} else {
		target.Path += "/2021-11-15/functions/" + in.function + "/response-streaming-invocations"
	}
	if in.qualifier != "" {
		target.RawQuery = "Qualifier=" + url.QueryEscape(in.qualifier)
	}
	r := &http.Request{
		Method: http.MethodPost, URL: &target, Host: target.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/octet-stream"}, "User-Agent": {c.agent}},
		ContentLength: int64(len(in.payload.Bytes())),
		GetBody:       func() (io.ReadCloser, error) { return in.payload.Open(), nil },
	}
	if in.event {
		r.Header["X-Amz-Invocation-Type"] = []string{"Event"}
	}
	if in.trace != "" {
		r.Header["X-Amzn-Trace-Id"] = []string{in.trace}
	}
	r = r.WithContext(ctx)
	credentials, err := c.options.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("get credentials: %w", err)
	}
	sum := sha256.Sum256(in.payload.Bytes())
	if err := c.signer.SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), "lambda", c.options.Region, c.clock.now()); err != nil {
		return nil, fmt.Errorf("sign request: %w", err)
	}
	return r, nil
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refusal is an error that Lambda answered with. It is a smithy.APIError.
type refusal struct {
	status              int
	code, message       string
	requestID, throttle string        // Throttled by what, such as ReservedFunctionConcurrentInvocationLimitExceeded
	after               time.Duration // zero when the answer does not say
	at                  time.Time     // AWS's clock; zero when the answer does not say
}

var _ smithy.APIError = (*refusal)(nil)

func (e *refusal) Error() string            { return e.code + ": " + e.message }
func (e *refusal) ErrorCode() string        { return e.code }
func (e *refusal) ErrorMessage() string     { return e.message }
func (e *refusal) ServiceRequestID() string { return e.requestID }

// RetryAfter is for awserr.
func (e *refusal) RetryAfter() time.Duration { return e.after }

func (e *refusal) ErrorFault() smithy.ErrorFault {
	if e.status >= http.StatusInternalServerError {
		return smithy.FaultServer
	}
	return smithy.FaultClient
}

// maxRefusal bounds what is read of an error's body.
const maxRefusal = 64 << 10

// readError reads an error's answer and closes it.
func readError(answer *http.Response) error {
	defer answer.Body.Close()
	e := &refusal{status: answer.StatusCode, requestID: answer.Header.Get("X-Amzn-Requestid")}
	e.at, _ = http.ParseTime(answer.Header.Get("Date"))
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	if err != nil {
		return fmt.Errorf("read an answer with status %d: %w", answer.StatusCode, err)
	}
	// Both spellings of message are in use (recorded on the real service).
	// encoding/json takes either for one field.
	var in struct {
		Message, Reason, Type string
		Code                  string `json:"__type"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		in.Message = strings.TrimSpace(string(data[:min(len(data), 512)]))
	}
	e.message, e.throttle = in.Message, in.Reason
	e.code, _, _ = strings.Cut(answer.Header.Get("X-Amzn-Errortype"), ":")
	if e.code == "" {
		e.code = in.Code[strings.LastIndexByte(in.Code, '#')+1:]
	}
	if e.code == "" {
		e.code = "HTTP" + strconv.Itoa(e.status)
		if e.status == http.StatusTooManyRequests {
			e.code = "TooManyRequestsException"
		}
	}
	if n, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && n > 0 {
		e.after = time.Duration(n) * time.Second
	}
	return e
}

// refusedBy returns the code with which Lambda refused, or "".
func refusedBy(err error) string {
	var e *refusal
	if errors.As(err, &e) {
		return e.code
	}
	return ""
}
