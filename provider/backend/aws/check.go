package aws

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

var _ backend.Checker = (*Backend)(nil)

const (
	// checkWait is how long Lambda may take to answer a check: probes wait a
	// second or two.
	checkWait = time.Second
	// checkedFor is how long an answer counts, and failedFor how long a failure.
	checkedFor = 5 * time.Second
	failedFor  = time.Second
)

// checks remembers the last check.
type checks struct {
	wait  time.Duration // checkWait
	mu    sync.Mutex    // held while Lambda is asked: one at a time
	until time.Time     // that err counts
	err   error
}

// Check implements backend.Checker: Lambda answers, and knows the credentials.
// That it refuses the question itself, by its policies or because it is asked too
// much, is an answer too.
func (b *Backend) Check(ctx context.Context) error {
	b.checks.mu.Lock()
	defer b.checks.mu.Unlock()
	if time.Now().Before(b.checks.until) {
		return b.checks.err
	}
	err := b.home.answers(ctx, b.checks.wait)
	if ctx.Err() != nil {
		return err // of who asked, not of Lambda
	}
	valid := checkedFor
	if err != nil {
		valid = failedFor
	}
	b.checks.err, b.checks.until = err, time.Now().Add(valid)
	return err
}

// unknownCaller are the codes of credentials that AWS does not know, or no longer
// (docs.aws.amazon.com/lambda, "Common errors").
var unknownCaller = []string{
	"ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken",
	"OptInRequired", "RequestExpired", "UnrecognizedClientException",
}

func (a *account) answers(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	_, err := a.lambda.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{}, func(o *lambda.Options) { o.RetryMaxAttempts = 1 })
	var refused smithy.APIError
	if errors.As(err, &refused) && refused.ErrorFault() != smithy.FaultServer && !slices.Contains(unknownCaller, refused.ErrorCode()) {
		return nil
	}
	return awserr.Wrap("ask Lambda for the account's settings", err)
}
