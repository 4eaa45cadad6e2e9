package annotations

import (
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers/relocate"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger"
)

// row is one annotation of the table: what it is called, what it may be, and how
// it is read. docs/annotations.md is made from it.
type row struct {
	key     string // after the prefix
	value   string // what it may be
	example string //
	meaning string
	read    func(value string, x *Settings) error // the error says what is wrong with the value
}

// table is every annotation there is, in the order of the document.
var table = slices.Concat([]row{
	{"package", "`zip`, `layers`, `image` or `auto`", "auto", "how the image becomes a Lambda function (docs/packages.md); `auto` chooses by size",
		func(v string, x *Settings) error { return oneOf(v, &x.PackageType, "zip", "layers", "image", "auto") }},
	{strings.TrimPrefix(relocate.KeepAllAnnotation, Prefix), "`true` or `false`", "true", "keeps what no function reads and is left out of the package otherwise: manuals, headers and the like (docs/relocation.md)",
		func(v string, x *Settings) error { return boolean(v, &x.KeepAll) }},
	{"role", "ARN of an IAM role, or `managed`", "arn:aws:iam::123456789012:role/reports", "what the function runs as, instead of `lambda_execution_role`; `managed` is a role of its own, which the provider makes and keeps (docs/iam.md)",
		readRole},
	{"vpc-subnets", "subnet ids, separated by commas", "subnet-0a1b2c3d,subnet-4e5f6a7b", "connects the function to a VPC; needs `vpc-security-groups`",
		func(v string, x *Settings) error { return ids(v, &x.Subnets, "subnet-", 16) }},
	{"vpc-security-groups", "security group ids, separated by commas", "sg-0a1b2c3d", "of the function's network interfaces; needs `vpc-subnets`",
		func(v string, x *Settings) error { return ids(v, &x.SecurityGroups, "sg-", 5) }},
	{"vpc-ipv6", "`true` or `false`", "true", "IPv6 traffic to dual-stack subnets",
		func(v string, x *Settings) error { return boolean(v, &x.DualStack) }},
	{"ephemeral-storage", "a quantity of bytes, 512Mi to 10Gi", "2Gi", "size of `/tmp`; 512Mi otherwise", readStorage},
	{"tracing", "`Active` or `PassThrough`", "Active", "X-Ray traces of every sampled invocation, or only of those that a caller traces", readTracing},
	{"layers", "up to 5 ARNs of layer versions, separated by commas", "arn:aws:lambda:eu-west-1:123456789012:layer:agent:7", "unpacked at `/opt` in that order; packages of type `layers` use some of the 5 themselves",
		readLayers},
	{"log-format", "`Text` or `JSON`", "JSON", "form of the platform's log lines",
		func(v string, x *Settings) error { return oneOf(v, &x.LogFormat, "Text", "JSON") }},
	{"log-group", "name of a CloudWatch log group", "/teams/reports", "where the function logs, instead of `/aws/lambda/NAME`",
		func(v string, x *Settings) error { return match(v, &x.LogGroup, logGroupName, "a name of a log group") }},
	{"log-retention", "days, one of those that CloudWatch Logs offers, or `never`", "14", "how long log lines are kept; the log group is made when it is not there", readRetention},
	{"dead-letter", "ARN of an SQS queue or SNS topic", "arn:aws:sqs:eu-west-1:123456789012:failed", "where events of asynchronous invocations go that failed",
		func(v string, x *Settings) error { return arnOf(v, &x.DeadLetter, "sqs", "sns") }},
	{"on-success", "ARN of a queue, topic, bus or function", "arn:aws:sqs:eu-west-1:123456789012:done", "where the results of asynchronous invocations go",
		func(v string, x *Settings) error {
			return arnOf(v, &x.OnSuccess, "sqs", "sns", "events", "lambda", "s3")
		}},
	{"on-failure", "ARN of a queue, topic, bus or function", "arn:aws:sns:eu-west-1:123456789012:alarms", "where failed asynchronous invocations are reported",
		func(v string, x *Settings) error {
			return arnOf(v, &x.OnFailure, "sqs", "sns", "events", "lambda", "s3")
		}},
	{"async-retries", "0 to 2", "0", "how often Lambda repeats an asynchronous invocation that failed; 2 otherwise",
		func(v string, x *Settings) error { return number(v, &x.Retries, 0, 2) }},
	{"async-max-age", "a duration, 1m to 6h", "30m", "how old an asynchronous invocation may get before it is given up; 6h otherwise", readMaxAge},
	{"snapstart", "`true` or `false`", "true", "instances start from a snapshot taken at deployment; not together with `provisioned-concurrency`, `file-system` or more than 512Mi of `ephemeral-storage`",
		func(v string, x *Settings) error { return boolean(v, &x.SnapStart) }},
	{"kms-key", "ARN of a KMS key", "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-0000-0000-0a1b2c3d4e5f", "encrypts the environment variables, instead of Lambda's own key",
		func(v string, x *Settings) error { return arnOf(v, &x.KMSKey, "kms") }},
	{"file-system", "ARN of an EFS access point, `:`, and a path below /mnt/", "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0a1b2c3d:/mnt/data", "mounted in the function; needs a VPC", readFileSystem},
	{"runtime-management", "`Auto`, `FunctionUpdate` or ARN of a runtime's version", "FunctionUpdate", "when AWS changes the runtime below the function: by itself, at deployments only, or never",
		readRuntimeUpdates},
	{"provisioned-concurrency", "a number from 0 on", "2", "instances that are kept initialised, whatever `com.openfaas.scale.min` says. AWS charges for them by the second",
		func(v string, x *Settings) error { return number(v, &x.Provisioned, 0, 1<<20) }},
	{"reserved-concurrency", "a number from 0 on, or `none`", "20", "the most invocations at a time, taken from the account's own limit, whatever `com.openfaas.scale.max` says. 0 switches the function off", readReserved},
	{"keep-versions", "1 to 20", "5", "how many earlier deployments are kept for `faas-lambda rollback`; 3 otherwise", readKeep},
	{"rollback", "`previous`, or the id of an earlier deployment as `faas-lambda rollback --list NAME` shows it", "previous", "an update with it changes nothing but which deployment serves; what else the update says is not looked at",
		func(v string, x *Settings) error {
			return match(v, &x.Rollback, rollbackTarget, "an id of a deployment")
		}},
	{"tags", "KEY=VALUE, separated by commas", "team=data,cost-centre=42", "tags of the Lambda function beside our own, for reports of costs", readTags},
}, triggerRows())

// triggerRows are the rows of the annotations that make triggers.
func triggerRows() []row {
	var rows []row
	for _, k := range trigger.Kinds {
		rows = append(rows, row{k.Name, k.Value, k.Example, k.Meaning, func(v string, x *Settings) error {
			made, err := k.Read(v)
			x.Triggers = append(x.Triggers, made...)
			return err
		}})
	}
	return rows
}
