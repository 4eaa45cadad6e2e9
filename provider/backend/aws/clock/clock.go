// Package clock tells the time as AWS has it, which signatures and the age of what lies
// there need, and waits. It calls nothing: it learns from answers to others' calls.
package clock

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// Clock is AWS's clock as far as signatures need it that the SDK's clients do not
// make: ours, and by how much it is off, as an answer to one of the SDK's calls
// told, or AWS's refusal. The SDK's clients keep one of their own (aws/retry,
// "Clock Skew Correction SEP"), but invocations are not theirs, and what they sign
// beforehand they sign by our clock. The zero Clock is ours; it may be used
// concurrently.
type Clock struct{ ahead atomic.Int64 } // AWS's, of ours, in nanoseconds

// Now is the time by that clock.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// At is when AWS answered one of the SDK's calls, by its clock; by ours where the
// answer does not say.
func At(answer middleware.Metadata) time.Time {
	if at, ok := awsmiddleware.GetServerTime(answer); ok {
		return at
	}
	return time.Now()
}

// skewCodes are the codes with which AWS refuses a signature for its time, among
// other reasons (the same that the SDK looks at).
var skewCodes = map[string]bool{
	"AuthFailure": true, "InvalidSignatureException": true, "RequestExpired": true, "RequestInTheFuture": true,
	"RequestTimeTooSkewed": true, "SignatureDoesNotMatch": true,
}

// skewLeast is the difference from which on a refusal is put down to the clock:
// AWS takes five minutes (docs.aws.amazon.com/IAM, "Troubleshoot Signature
// Version 4 signing for AWS API requests"), and the SDK this.
const skewLeast = 4 * time.Minute

// Corrected tells whether a refusal, by its code and AWS's time of it, which is zero
// when the answer did not say, was for the clock's sake. The clock is right
// afterwards.
func (c *Clock) Corrected(code string, at time.Time) bool {
	if !skewCodes[code] || at.IsZero() || at.Sub(c.Now()).Abs() < skewLeast {
		return false
	}
	c.ahead.Store(int64(time.Until(at)))
	return true
}

// Watch adds what learns from each answer to the SDK's calls. A HEAD is made once
// more when its answer has set the clock: AWS refuses it without a word of why,
// so that the SDK does not know to.
func (c *Clock) Watch(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("faas-lambda clock",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleInitialize(ctx, in)
			if c.learn(metadata) && awserr.Code(err) == "Forbidden" {
				return next.HandleInitialize(ctx, in)
			}
			return out, metadata, err
		}), middleware.Before)
}

// learn sets the clock by an answer, and tells whether it was far off.
func (c *Clock) learn(answer middleware.Metadata) bool {
	skew, ok := awsmiddleware.GetAttemptSkew(answer)
	if !ok {
		return false
	}
	if skew.Abs() < skewLeast {
		skew = 0
	}
	before := time.Duration(c.ahead.Swap(int64(skew)))
	return (skew - before).Abs() >= skewLeast
}

// Presigner returns a client that signs addresses of S3 by that clock.
func (c *Clock) Presigner(client *s3.Client) *s3.PresignClient {
	return s3.NewPresignClient(client, func(o *s3.PresignOptions) {
		// As S3's own presigner has it: keys are escaped once.
		o.Presigner = clockSigner{c, v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })}
	})
}

// clockSigner is a presigner whose time is a clock's.
type clockSigner struct {
	clock  *Clock
	signer *v4.Signer
}

func (s clockSigner) PresignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash, service, region string, _ time.Time, optFns ...func(*v4.SignerOptions)) (string, http.Header, error) {
	return s.signer.PresignHTTP(ctx, credentials, r, payloadHash, service, region, s.clock.Now(), optFns...)
}
