package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/secrets"
)

// TestFunctionPolicies compares each deployment's policy, but for the statement
// about its log.
func TestFunctionPolicies(t *testing.T) {
	place := Place{Region: "eu-central-1", Account: "123456789012"}
	queue := "arn:aws:sqs:eu-central-1:123456789012:q"
	for _, c := range []struct {
		name        string
		annotations map[string]string
		secrets     []string
		store       string
		keys        []string
		want        []string // actions, and behind @ resources
	}{
		{"nothing", nil, nil, "", nil, nil},
		{"a secret", nil, []string{"key"}, "", nil, []string{"secretsmanager:GetSecretValue@arn:aws:secretsmanager:eu-central-1:123456789012:secret:faas-lambda/openfaas-fn/key-??????"}},
		{"parameters", nil, []string{"b", "a", "b"}, secrets.ParameterStore, nil, []string{
			"ssm:GetParameter@arn:aws:ssm:eu-central-1:123456789012:parameter/faas-lambda/openfaas-fn/a arn:aws:ssm:eu-central-1:123456789012:parameter/faas-lambda/openfaas-fn/b"}},
		{"keys", map[string]string{"kms-key": "arn:aws:kms:eu-central-1:123456789012:key/env"}, nil, "", []string{"0a1b", "alias/aws/ssm", "alias/mine"}, []string{
			"kms:Decrypt@arn:aws:kms:eu-central-1:123456789012:key/0a1b arn:aws:kms:eu-central-1:123456789012:key/env", "kms:Decrypt@arn:aws:kms:eu-central-1:123456789012:key/*"}},
		{"a VPC with a file system", map[string]string{
			"vpc-subnets": "subnet-0a1b2c3d", "vpc-security-groups": "sg-0a1b2c3d", "file-system": "arn:aws:elasticfilesystem:eu-central-1:123456789012:access-point/fsap-0a1b2c3d:/mnt/d",
		}, nil, "", nil, []string{
			"ec2:CreateNetworkInterface ec2:DescribeNetworkInterfaces ec2:DescribeSubnets ec2:DeleteNetworkInterface ec2:AssignPrivateIpAddresses ec2:UnassignPrivateIpAddresses@*",
			"elasticfilesystem:ClientMount elasticfilesystem:ClientWrite@arn:aws:elasticfilesystem:eu-central-1:123456789012:file-system/*"}},
		{"traces", map[string]string{"tracing": "Active"}, nil, "", nil, []string{"xray:PutTraceSegments xray:PutTelemetryRecords@*"}},
		{"destinations", map[string]string{"dead-letter": queue, "on-success": "arn:aws:s3:::done", "on-failure": queue}, nil, "", nil, []string{
			"sqs:SendMessage@" + queue, "s3:PutObject s3:ListBucket@arn:aws:s3:::done arn:aws:s3:::done/*"}},
		{"a queue", map[string]string{"sqs": queue + "?batch-size=5"}, nil, "", nil, []string{
			"sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes sqs:ChangeMessageVisibility@" + queue}},
		{"a stream", map[string]string{"dynamodb": "arn:aws:dynamodb:eu-central-1:123456789012:table/t/stream/x?on-failure=" + queue}, nil, "", nil, []string{
			"sqs:SendMessage@" + queue, "dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator@arn:aws:dynamodb:eu-central-1:123456789012:table/t/stream/x", "dynamodb:ListStreams@*"}},
		{"triggers that call", map[string]string{"schedule": "rate(1 day)", "url": "NONE", "s3": "uploads", "sns": "arn:aws:sns:eu-central-1:123456789012:t?dead-letter=" + queue}, nil, "", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := map[string]string{}
			for key, value := range c.annotations {
				all[annotations.Prefix+key] = value
			}
			p, err := ForFunction(place, Grants{
				Function: "hello", Store: c.store, Keys: c.keys, Deployed: types.FunctionDeployment{Namespace: "openfaas-fn", Secrets: c.secrets, Annotations: &all},
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range p.Statement[1:] {
				got = append(got, strings.Join(s.Action, " ")+"@"+strings.Join(s.Resource, " "))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("allowed\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if log := p.Statement[0].Resource; !slices.Equal(log, []string{"arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/hello", "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/hello:*"}) {
				t.Errorf("its log is %v", log)
			}
		})
	}
	_, err := ForFunction(place, Grants{Deployed: types.FunctionDeployment{Annotations: &map[string]string{annotations.Prefix + "tracing": "maybe"}}})
	if err == nil || !strings.Contains(err.Error(), "tracing") {
		t.Errorf("a bad annotation: %v", err)
	}
}

// The union of policies has each statement once, and each id.
func TestUnionOfPolicies(t *testing.T) {
	policy := func(secret string) Document {
		p, err := ForFunction(Place{}, Grants{Function: "f", Deployed: types.FunctionDeployment{Namespace: "n", Secrets: []string{secret}}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	one, two := policy("one"), policy("two")
	if got := one.With(one); len(got.Statement) != 2 {
		t.Errorf("with itself: %+v", got)
	}
	both := one.With(two)
	text, err := json.Marshal(both)
	if err != nil || len(both.Statement) != 3 || !strings.Contains(string(text), "/one-") || !strings.Contains(string(text), "/two-") || both.Statement[2].Sid == both.Statement[1].Sid {
		t.Errorf("both: %s, %v", text, err)
	}
}

func TestSamePolicy(t *testing.T) {
	want := Trust(Place{Account: "123456789012"})
	for document, same := range map[string]bool{
		`{"Version":"2012-10-17","Statement":[{"Sid":"Lambda","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":["sts:AssumeRole"],"Condition":{"StringEquals":{"aws:SourceAccount":["123456789012"]}}}]}`:       true,
		`%7B"Version":"2012-10-17","Statement":{"Effect":"Allow","Sid":"Lambda","Principal":{"Service":["lambda.amazonaws.com"]},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}%7D`:       true,
		`{"Version":"2012-10-17","Statement":[{"Sid":"Lambda","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":["sts:AssumeRole"]}]}`:                                                                           false,
		`{"Version":"2012-10-17","Statement":[{"Sid":"Lambda","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com","AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}`: false,
		`{`:   false,
		`%zz`: false,
	} {
		if want.Is(document) != same {
			t.Errorf("%s is the same: %t", document, !same)
		}
	}
	several := Document{Statement: []Statement{{Action: []string{"a", "b"}}}}
	if !several.Is(`{"Version":"","Statement":{"Sid":"","Effect":"","Action":["b","a"]}}`) {
		t.Error("the order counts")
	}
}
