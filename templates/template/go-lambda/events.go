//go:build events

package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"handler/function"
)

// The build sets the tag events when the function has HandleEvent. It may have
// any of the signatures that aws-lambda-go takes.
func init() { event = lambda.NewHandler(function.HandleEvent).Invoke }
