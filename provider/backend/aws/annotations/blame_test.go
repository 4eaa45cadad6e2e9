package annotations

import (
	"errors"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func TestAnnotationIsNamedWhoseValueAWSRefuses(t *testing.T) {
	const p, layer, queue = Prefix, "arn:aws:lambda:eu-west-1:123456789012:layer:gone:7", "arn:aws:sqs:eu-west-1:123456789012:gone"
	for words, want := range map[string]string{
		"Layer version " + layer + " does not exist.":                                    p + "layers",
		"The destination ARN " + queue + " is invalid.":                                  p + "on-failure",
		"The security group 'sg-0a1b2c3d' does not exist":                                p + "vpc-security-groups",
		"The subnet ID 'subnet-0a1b2c3d' does not exist":                                 p + "vpc-subnets",
		"The role defined for the function cannot be assumed by Lambda.":                 p + "role",
		"EFS file system access-point/fsap-0a1b2c3d has no mount target in this network": "",
		"Lambda was unable to configure your environment variables":                      "",
	} {
		d := annotated(p+"layers", "arn:aws:lambda:eu-west-1:123456789012:layer:there:1, "+layer, p+"on-failure", queue, p+"vpc-security-groups", "sg-0a1b2c3d", p+"vpc-subnets", "subnet-0a1b2c3d",
			p+"role", "arn:aws:iam::123456789012:role/r", p+"tracing", "Active", "other", "Lambda")
		refused := backend.Errorf(backend.ErrInvalid, "update function a: %s", words)
		says := refused.Error()
		if want != "" {
			says = "annotation " + want + ": " + says
		}
		if err := Blame(d, refused); !errors.Is(err, backend.ErrInvalid) || err.Error() != says {
			t.Errorf("%v, want %s", err, says)
		}
	}
	if err := Blame(annotated(p+"layers", layer), errors.New("no "+layer)); strings.Contains(err.Error(), p) {
		t.Errorf("an error of no kind became %v", err)
	}
}
