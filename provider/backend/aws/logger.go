package aws

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	openfaas "github.com/openfaas/faas-provider/logs"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/logs"
)

var _ backend.Logger = (*Backend)(nil)

// Query implements backend.Logger with CloudWatch Logs, as logs.Reader says.
func (b *Backend) Query(ctx context.Context, r openfaas.Request) (<-chan openfaas.Message, error) {
	name := backend.Name{Namespace: r.Namespace, Function: r.Name}
	f, err := b.find(ctx, name)
	if err != nil {
		return nil, err
	}
	gone := func(ctx context.Context) bool {
		_, err := b.Status(ctx, name)
		return errors.Is(err, backend.ErrNotFound)
	}
	return b.logs.Query(ctx, logs.Source{Client: f.account.logs, Name: name, Function: f.function(), Group: groupOf(f), Gone: gone}, r)
}

// groupOf is where a function's log lines go.
func groupOf(f *found) string {
	if c := f.config.LoggingConfig; c != nil && aws.ToString(c.LogGroup) != "" {
		return aws.ToString(c.LogGroup)
	}
	return logGroup(f.function())
}

// logGroup is where Lambda writes a function's log unless it is told otherwise
// (docs.aws.amazon.com/lambda, "Sending Lambda function logs to CloudWatch
// Logs").
func logGroup(function string) string { return "/aws/lambda/" + function }
