package integration

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/provider/backend/backendtest"
	"github.com/faas-lambda/faas-lambda/provider/backend/remote"
)

// TestRemoteBackendOverLambda runs the conformance suite of backends over HTTP
// and a provider that is a process of its own, with functions on its Lambda.
func TestRemoteBackendOverLambda(t *testing.T) {
	image := push(t, "functions/cat:1", classic(t))
	backendtest.Run(t, func(t *testing.T) backendtest.Subject {
		log := &lockedBuffer{}
		up, err := fixture.StartUp(context.WithoutCancel(t.Context()), filepath.Join(programs, "faas-lambda"), t.TempDir(), log)
		if err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
		t.Cleanup(func() {
			if err := up.Stop(); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				t.Log(log)
			}
		})
		functions, err := remote.Open(context.WithoutCancel(t.Context()), remote.Options{URL: up.URL, Credentials: remote.Credentials{User: up.User, Password: up.Password}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = functions.Close() })
		return backendtest.Subject{
			Backend: functions, Namespace: "openfaas-fn", Image: image,
			Must: []backendtest.Ability{backendtest.Scale, backendtest.Namespaces, backendtest.Secrets, backendtest.Usage, backendtest.Check, backendtest.Async},
		}
	})
}
