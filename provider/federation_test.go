package main

import (
	"testing"

	"github.com/faas-lambda/faas-lambda/provider/backend/backendtest"
	"github.com/faas-lambda/faas-lambda/provider/backend/federation"
	"github.com/faas-lambda/faas-lambda/provider/backend/memory"
)

// TestFederationOnTheEmulator runs the conformance suite of backends on a
// federation of AWS, over the embedded one, and memory.
func TestFederationOnTheEmulator(t *testing.T) {
	made := build(t)
	backendtest.Run(t, func(t *testing.T) backendtest.Subject {
		lambda := made.subject(t, 0)
		b, err := federation.Open(t.Context(), federation.Options{
			Default: "lambda", Children: []federation.Child{{Name: "lambda", Backend: lambda.Backend}, {Name: "memory", Backend: memory.New()}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		lambda.Backend = b
		lambda.Must = []backendtest.Ability{backendtest.Scale, backendtest.Namespaces, backendtest.Secrets, backendtest.Check, backendtest.Async}
		return lambda
	})
}
