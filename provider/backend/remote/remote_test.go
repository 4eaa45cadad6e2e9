package remote

import (
	"net/http/httptest"
	"testing"

	"github.com/openfaas/faas-provider/auth"

	"github.com/faas-lambda/faas-lambda/provider/api"
	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/backendtest"
	"github.com/faas-lambda/faas-lambda/provider/backend/memory"
)

const namespace = "openfaas-fn"

func open(t testing.TB, o Options) *Backend {
	t.Helper()
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// provider serves a backend as faas-lambda does and returns its address.
func provider(t testing.TB, b backend.Backend, credentials *auth.BasicAuthCredentials) string {
	t.Helper()
	server := httptest.NewServer(api.New(b, api.Options{Namespace: namespace, Credentials: credentials}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestBackend runs the conformance suite over HTTP and a provider of ours, with
// functions in memory behind it.
func TestBackend(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) backendtest.Subject {
		functions := memory.New()
		t.Cleanup(func() { _ = functions.Close() })
		url := provider(t, functions, &auth.BasicAuthCredentials{User: "admin", Password: "secret"})
		b := open(t, Options{URL: url, Credentials: Credentials{User: "admin", Password: "secret"}})
		return backendtest.Subject{Backend: b, Namespace: namespace, Image: "any", Prints: "POST / 200 5 bytes", Must: backendtest.All}
	})
}
