// Package chart tests the Helm chart beside it: that its schema knows every
// setting of the provider, that its documents are those of the code, and what it
// renders.
package chart

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write what is made from the code anew: the schema's definitions, the chart's README, plain YAML")

const chartDir = "faas-lambda"

// golden compares a file with what it should hold; -update writes it.
func golden(t *testing.T, path, want string) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if string(old) == want {
		return
	}
	if !*update {
		t.Errorf("%s is not what is made from the code: go test ./chart -update", path)
		return
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
