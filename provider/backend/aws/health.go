package aws

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

var _ backend.Checker = (*Backend)(nil)

// A check is remembered for so long: probes come every few seconds, and AWS
// allows 15 calls a second in all.
const (
	healthyFor = 15 * time.Second
	illFor     = 3 * time.Second
)

// health is what the last check said.
type health struct {
	mu    sync.Mutex // guards the rest, and is held during a check
	until time.Time
	err   error
}

// Check implements backend.Checker: whether Lambda can be reached with our
// credentials. One that throttles us can be.
func (b *Backend) Check(ctx context.Context) error {
	h := &b.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Now().Before(h.until) {
		return h.err
	}
	_, err := b.home.lambda.ListFunctions(ctx, &lambda.ListFunctionsInput{MaxItems: aws.Int32(1)})
	err = awsError("reach AWS Lambda", err)
	if errors.Is(err, backend.ErrThrottled) {
		err = nil
	}
	h.err, h.until = err, time.Now().Add(healthyFor)
	if err != nil {
		h.until = time.Now().Add(illFor)
	}
	return err
}
