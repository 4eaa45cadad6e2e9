// Command floor is AWS's own Go runtime that answers with the event's bytes: what
// an invocation costs with no function behind the bootstrap.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

type echo struct{}

// Invoke implements lambda.Handler.
func (echo) Invoke(_ context.Context, payload []byte) ([]byte, error) { return payload, nil }

func main() { lambda.Start(echo{}) }
