package memory_test

import (
	"testing"

	"github.com/faas-lambda/faas-lambda/provider/backend/backendtest"
	"github.com/faas-lambda/faas-lambda/provider/backend/memory"
)

func TestBackend(t *testing.T) {
	backendtest.Run(t, func(*testing.T) backendtest.Subject {
		return backendtest.Subject{Backend: memory.New(), Namespace: "openfaas-fn", Image: "any"}
	})
}
