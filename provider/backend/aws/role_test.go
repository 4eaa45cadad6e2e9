package aws

import (
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func TestNamesOfRoles(t *testing.T) {
	long := strings.Repeat("x", 60)
	seen := map[string]bool{}
	for _, c := range []struct{ function, region, want string }{
		{"hello", "eu-west-1", "hello.openfaas-fn.eu-west-1"},
		{"Hello", "eu-west-1", ""}, // IAM tells no capitals from small letters
		{long, "eu-west-1", ""},
		{long, "eu-west-2", ""},
		{long + "y", "eu-west-1", ""},
	} {
		got := roleName(backend.Name{Namespace: "openfaas-fn", Function: c.function}, c.region)
		if c.want != "" && got != c.want || len(got) > 64 || seen[strings.ToLower(got)] {
			t.Errorf("the role of %s in %s is %s", c.function, c.region, got)
		}
		seen[strings.ToLower(got)] = true
	}
}
