package roles

import (
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
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
		got := New(nil, c.region, "/", "").ID(backend.Name{Namespace: "openfaas-fn", Function: c.function})
		if c.want != "" && got != c.want || len(got) > 64 || seen[strings.ToLower(got)] {
			t.Errorf("the role of %s in %s is %s", c.function, c.region, got)
		}
		seen[strings.ToLower(got)] = true
	}
}

func TestRolesAreKnownByTheirARN(t *testing.T) {
	name := backend.Name{Namespace: "openfaas-fn", Function: "hello"}
	k := New(nil, "eu-west-1", "/faas-lambda/", "")
	for arn, want := range map[string]bool{
		"arn:aws:iam::000000000000:role/faas-lambda/eu-west-1/hello.openfaas-fn.eu-west-1":         true,
		"arn:aws-cn:iam::111111111111:role/faas-lambda/eu-west-1/hello.openfaas-fn.eu-west-1":      true,
		"arn:aws:iam::000000000000:role/hello.openfaas-fn.eu-west-1":                               false,
		"arn:aws:iam::000000000000:role/faas-lambda/eu-west-1/other.openfaas-fn.eu-west-1":         false,
		"arn:aws:iam::000000000000:role/other/faas-lambda/eu-west-1/hello.openfaas-fn.eu-west-1":   false,
		"arn:aws:iam::000000000000:role/faas-lambda/eu-west-1/hello.openfaas-fn.eu-west-1-another": false,
	} {
		if got := k.Is(arn, name); got != want {
			t.Errorf("%s: %t", arn, got)
		}
	}
	r := k.Role(policy.Place{Partition: "aws", Account: "000000000000"}, name, "hello")
	if !k.Is(r.ARN(), name) {
		t.Errorf("%s is not the role's", r.ARN())
	}
}
