package annotations

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

var update = flag.Bool("update", false, "write docs/annotations.md")

func TestAnnotationsDocumentIsCurrent(t *testing.T) {
	const path = "../../../../docs/annotations.md"
	want := document()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("run go test ./provider/backend/aws/annotations -run Document -update (-want +got)\n%s", diff)
	}
}

func annotated(pairs ...string) types.FunctionDeployment {
	annotations := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		annotations[pairs[i]] = pairs[i+1]
	}
	return types.FunctionDeployment{Service: "a", Annotations: &annotations}
}

func TestExamplesOfAnnotationsAreTaken(t *testing.T) {
	alone := map[string][]string{
		"vpc-subnets":         {Prefix + "vpc-security-groups", "sg-0a1b2c3d"},
		"vpc-security-groups": {Prefix + "vpc-subnets", "subnet-0a1b2c3d"},
		"file-system":         {Prefix + "vpc-subnets", "subnet-0a1b2c3d", Prefix + "vpc-security-groups", "sg-0a1b2c3d"},
	}
	seen := map[string]bool{}
	for _, a := range table {
		if seen[a.key] || a.meaning == "" || a.value == "" {
			t.Errorf("row %s is there twice, or not complete", a.key)
		}
		seen[a.key] = true
		if _, err := Read(annotated(append(alone[a.key], Prefix+a.key, a.example)...)); err != nil {
			t.Errorf("%v", err)
		}
	}
}

func TestBadAnnotationsAreNamed(t *testing.T) {
	const p = Prefix
	for _, c := range []struct {
		name string
		d    types.FunctionDeployment
		says []string
	}{
		{"unknown", annotated(p+"vpc-subnet", "x"), []string{p + "vpc-subnet", "did you mean " + p + "vpc-subnets?"}},
		{"package", annotated(p+"package", "tar"), []string{p + "package", `"tar"`, "auto"}},
		{"keep all", annotated(p+"keep-all", "yes"), []string{p + "keep-all", "true"}},
		{"role of another service", annotated(p+"role", "arn:aws:s3:::bucket"), []string{p + "role", "s3"}},
		{"role by name", annotated(p+"role", "reports"), []string{p + "role", "not an ARN"}},
		{"subnets without groups", annotated(p+"vpc-subnets", "subnet-0a1b2c3d"), []string{"vpc-security-groups is missing"}},
		{"groups without subnets", annotated(p+"vpc-security-groups", "sg-0a1b2c3d"), []string{"vpc-subnets is missing"}},
		{"no subnet", annotated(p+"vpc-subnets", "net-1"), []string{p + "vpc-subnets", "net-1"}},
		{"little storage", annotated(p+"ephemeral-storage", "100Mi"), []string{p + "ephemeral-storage", "512Mi to 10Gi"}},
		{"much storage", annotated(p+"ephemeral-storage", "11Gi"), []string{p + "ephemeral-storage", "out of range"}},
		{"storage without a number", annotated(p+"ephemeral-storage", "much"), []string{p + "ephemeral-storage", "much"}},
		{"tracing", annotated(p+"tracing", "on"), []string{p + "tracing", "Active"}},
		{"six layers", annotated(p+"layers", strings.Repeat("arn:aws:lambda:eu-west-1:123456789012:layer:a:7,", 6)), []string{p + "layers", "6 layers"}},
		{"layer without version", annotated(p+"layers", "arn:aws:lambda:eu-west-1:123456789012:layer:a"), []string{p + "layers", "version"}},
		{"retention", annotated(p+"log-retention", "2"), []string{p + "log-retention", "1 3 5"}},
		{"log group", annotated(p+"log-group", "a b"), []string{p + "log-group"}},
		{"dead letter", annotated(p+"dead-letter", "arn:aws:lambda:eu-west-1:123456789012:function:a"), []string{p + "dead-letter", "lambda"}},
		{"retries", annotated(p+"async-retries", "3"), []string{p + "async-retries", "0 to 2"}},
		{"age", annotated(p+"async-max-age", "10s"), []string{p + "async-max-age", "1m"}},
		{"file system", annotated(p+"file-system", "/mnt/a"), []string{p + "file-system", "access point"}},
		{"file system without VPC", annotated(p+"file-system", "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0a1b2c3d:/mnt/data"), []string{p + "file-system", "vpc-subnets"}},
		{"snapshots and provisioned", annotated(p+"snapstart", "true", p+"provisioned-concurrency", "1"), []string{p + "snapstart"}},
		{"more provisioned than reserved", annotated(p+"reserved-concurrency", "1", p+"provisioned-concurrency", "2"), []string{p + "provisioned-concurrency", "2 is more"}},
		{"our tag", annotated(p+"tags", "faas-lambda:service=x"), []string{p + "tags", "not free"}},
		{"AWS's tag", annotated(p+"tags", "aws:x=y"), []string{p + "tags", "not free"}},
		{"rollback", annotated(p+"rollback", "last"), []string{p + "rollback", "previous"}},
		{"runtime", annotated(p+"runtime-management", "never"), []string{p + "runtime-management", "FunctionUpdate"}},
		{"queue", annotated(p+"sqs", "orders"), []string{p + "sqs", "orders"}},
		{"option of a queue", annotated(p+"sqs", "arn:aws:sqs:eu-west-1:123456789012:q?size=1"), []string{p + "sqs", "size", "batch-size"}},
		{"value of an option", annotated(p+"sqs", "arn:aws:sqs:eu-west-1:123456789012:q?batch-size=0"), []string{p + "sqs", "batch-size=0", "1 to 10000"}},
		{"Kafka without topic", annotated(p+"kafka", "broker:9092"), []string{p + "kafka", "topic is missing"}},
		{"bucket", annotated(p+"s3", "Up"), []string{p + "s3", "Up"}},
		{"schedule", annotated(p+"schedule", "every minute"), []string{p + "schedule", "rate("}},
		{"table without its stream", annotated(p+"dynamodb", "arn:aws:dynamodb:eu-west-1:123456789012:table/carts"), []string{p + "dynamodb", "/stream/"}},
		{"stream by name", annotated(p+"kinesis", "arn:aws:kinesis:eu-west-1:123456789012:clicks"), []string{p + "kinesis", ":stream/"}},
		{"port of a broker", annotated(p+"kafka", "broker:70000?topic=t"), []string{p + "kafka", "70000"}},
		{"event of a bucket", annotated(p+"s3", "uploads?events=s3:ObjectCreated:*+s3:Uploaded"), []string{p + "s3", "s3:Uploaded"}},
		{"no event of a bucket", annotated(p+"s3", "uploads?events="), []string{p + "s3", "s3:ObjectCreated"}},
		{"filter of a queue", annotated(p+"sqs", "arn:aws:sqs:eu-west-1:123456789012:q?filter={"), []string{p + "sqs", "filter={", "JSON"}},
		{"queue twice", annotated(p+"sqs", "arn:aws:sqs:eu-west-1:123456789012:q,arn:aws:sqs:eu-west-1:123456789012:q?batch-size=1"), []string{p + "sqs", "twice"}},
		{"topic twice", annotated(p+"sns", `arn:aws:sns:eu-west-1:123456789012:t,arn:aws:sns:eu-west-1:123456789012:t?filter={"a":["b"]}`), []string{p + "sns", "twice"}},
		{"schedule twice", annotated(p+"schedule", "rate(1 day);rate(1 day)"), []string{p + "schedule", "twice"}},
		{"role that is a user", annotated(p+"role", "arn:aws:iam::123456789012:user/x"), []string{p + "role", "user/x"}},
		{"two URLs", annotated(p+"url", "NONE,AWS_IAM"), []string{p + "url", "more than one"}},
		{"crontab", annotated("topic", "cron-function", "schedule", "* * *"), []string{"schedule", "3 fields"}},
		{"crontab out of range", annotated("topic", "a, cron-function", "schedule", "61 * * * *"), []string{"schedule", "minute", "61"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(c.d)
			if !errors.Is(err, backend.ErrInvalid) {
				t.Fatalf("%v, want ErrInvalid", err)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in %v", part, err)
				}
			}
		})
	}
	if _, err := Read(annotated("topic", "orders", "schedule", "whenever")); err != nil {
		t.Errorf("a schedule that is not for the cron-connector: %v", err)
	}
}

func FuzzAnnotation(f *testing.F) {
	for _, a := range table {
		f.Add(a.key, a.example)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		_, err := Read(annotated(Prefix+key, value))
		if err != nil && !errors.Is(err, backend.ErrInvalid) {
			t.Errorf("%v", err)
		}
	})
}
