package main

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/backend/backendtest"
	"github.com/faas-lambda/faas-lambda/provider/backend/federation"
	"github.com/faas-lambda/faas-lambda/provider/backend/memory"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
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
		lambda.Must = []backendtest.Ability{backendtest.Scale, backendtest.Namespaces, backendtest.Secrets, backendtest.Usage, backendtest.Check, backendtest.Async}
		return lambda
	})
}

// TestAWSThatNobodyAnswersFor: a federation has to know that nothing has begun,
// to serve the invocation at a second place.
func TestAWSThatNobodyAnswersFor(t *testing.T) {
	functions, err := aws.Open(t.Context(), aws.Options{
		Namespace: "openfaas-fn", Role: "arn:aws:iam::" + account + ":role/test", Arch: "amd64", Memory: 256, Timeout: time.Minute, DeployTimeout: time.Minute,
		Endpoint: "http://127.0.0.1:1", Region: region, AccessKey: "test", SecretKey: "test", Packager: packaging.New(packaging.Options{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader("x"))
	_, err = functions.Invoke(t.Context(), backend.Name{Namespace: "openfaas-fn", Function: "f"}, r)
	if !errors.Is(err, backend.ErrUnreachable) || !backend.NotBegun(err) {
		t.Errorf("%v", err)
	}
}
