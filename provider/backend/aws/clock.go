package aws

import (
	"errors"
	"sync/atomic"
	"time"
)

// clock is AWS's clock as far as signatures need it: ours, and by how much it is
// off once AWS has refused a signature for that. The SDK's clients keep one of
// their own (aws/retry, "Clock Skew Correction SEP").
type clock struct{ ahead atomic.Int64 } // AWS's, of ours, in nanoseconds

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

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

// corrected tells whether err is a refusal for the clock's sake. The clock is
// right afterwards.
func (c *clock) corrected(err error) bool {
	var e *refusal
	if !errors.As(err, &e) || !skewCodes[e.code] || e.at.IsZero() {
		return false
	}
	if e.at.Sub(c.now()).Abs() < skewLeast {
		return false
	}
	c.ahead.Store(int64(time.Until(e.at)))
	return true
}
