// Package annotations reads what a deployment says about Lambda: the annotations
// com.openfaas.lambda/…, which docs/annotations.md lists. It checks what can be
// checked without AWS, and says of what AWS refuses which of them is to blame. It
// calls nothing.
package annotations

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/layers/relocate"
	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/notation"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger"
)

// Prefix is what all annotations begin with that this package reads, but those of
// the cron-connector.
const Prefix = trigger.AnnotationPrefix

// ManagedRole in the place of a role's ARN means a role of each function's own,
// which the provider makes and keeps.
const ManagedRole = "managed"

// Settings are what the annotations of a deployment say about Lambda. The zero
// value is what a deployment without any means.
type Settings struct {
	PackageType             string // zip, layers, image or auto; empty for the provider's choice
	KeepAll                 bool   // of the image
	Rollback                string // id of an earlier deployment, or Previous
	RuntimeUpdates          string // a mode, or the ARN of a runtime's version
	Role                    string // ARN or ManagedRole; empty for the account's
	Subnets, SecurityGroups []string
	DualStack               bool
	Storage                 int32 // MB of /tmp; 0 for Lambda's own
	Tracing                 bool
	Layers                  []string
	LogFormat               string
	LogGroup                string
	Retention               int32 // days, or Forever; 0 leaves the log group alone
	DeadLetter              string
	SnapStart               bool
	KMSKey                  string
	FileSystems             []FileSystem
	Provisioned             *int32
	Reserved                *int32 // negative: none
	OnSuccess               string
	OnFailure               string
	Retries                 *int32
	MaxAge                  *int32 // seconds
	KeepVersions            int    // published versions; 0 for the default
	Tags                    map[string]string
	Triggers                []trigger.Trigger
}

// FileSystem is an access point of EFS and where the function sees it.
type FileSystem struct{ ARN, Path string }

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

// cronTopic is the value of the annotation `topic` that the cron-connector looks
// for, next to `schedule`.
const cronTopic = "cron-function"

// Read returns what the annotations of d say. An error is backend.ErrInvalid, and
// names the annotation and its value, and for a name that does not exist the
// nearest.
func Read(d types.FunctionDeployment) (Settings, error) {
	var x Settings
	if d.Annotations == nil {
		return x, nil
	}
	all := *d.Annotations
	for _, name := range slices.Sorted(maps.Keys(all)) {
		key, ours := strings.CutPrefix(name, Prefix)
		if !ours {
			continue
		}
		if slices.Contains(toldAnnotations, key) {
			continue
		}
		i := slices.IndexFunc(table, func(a row) bool { return a.key == key })
		if i < 0 {
			return x, backend.Errorf(backend.ErrInvalid, "annotation %s is not known: did you mean %s%s?", name, Prefix, nearest(key))
		}
		value := strings.TrimSpace(all[name])
		if err := table[i].read(value, &x); err != nil {
			return x, backend.Errorf(backend.ErrInvalid, "annotation %s=%q: %w: want %s", name, value, err, table[i].value)
		}
	}
	if slices.Contains(notation.List(all["topic"]), cronTopic) {
		t, err := trigger.Cron(all["schedule"])
		if err != nil {
			return x, backend.Errorf(backend.ErrInvalid, "annotation schedule=%q: %w", all["schedule"], err)
		}
		x.Triggers = append(x.Triggers, t)
	}
	return x, x.check()
}

// toldAnnotations are those by which the provider says what it chose. A
// deployment that has them, because it was copied from what describe showed,
// does not mean them.
var toldAnnotations = []string{toldType, toldReason}

const (
	toldType   = "package-type"
	toldReason = "package-reason"
)

// Untold returns a deployment without what Tell adds.
func Untold(d types.FunctionDeployment) types.FunctionDeployment {
	if d.Annotations == nil {
		return d
	}
	all := maps.Clone(*d.Annotations)
	for _, key := range toldAnnotations {
		delete(all, Prefix+key)
	}
	if len(all) != len(*d.Annotations) {
		d.Annotations = &all
	}
	return d
}

// Tell returns a deployment as it is shown where the provider chose the type of its
// package: with that, and why.
func Tell(d types.FunctionDeployment, packageType, reason string) types.FunctionDeployment {
	all := map[string]string{}
	if d.Annotations != nil {
		maps.Copy(all, *d.Annotations)
	}
	all[Prefix+toldType], all[Prefix+toldReason] = packageType, reason
	d.Annotations = &all
	return d
}

// check refuses what Lambda does not take together.
func (x Settings) check() error {
	bad := func(key, format string, args ...any) error {
		return backend.Errorf(backend.ErrInvalid, "annotation %s%s: %s", Prefix, key, fmt.Sprintf(format, args...))
	}
	switch {
	case len(x.Subnets) > 0 && len(x.SecurityGroups) == 0:
		return bad("vpc-subnets", "vpc-security-groups is missing")
	case len(x.SecurityGroups) > 0 && len(x.Subnets) == 0:
		return bad("vpc-security-groups", "vpc-subnets is missing")
	case len(x.FileSystems) > 0 && len(x.Subnets) == 0:
		return bad("file-system", "a file system needs vpc-subnets and vpc-security-groups")
	case x.SnapStart && x.Provisioned != nil && *x.Provisioned > 0:
		return bad("snapstart", "Lambda offers no provisioned concurrency with it")
	case x.SnapStart && len(x.FileSystems) > 0:
		return bad("snapstart", "Lambda offers no file system with it")
	case x.SnapStart && x.Storage > MinStorage:
		return bad("snapstart", "Lambda offers no more than %d MB of ephemeral storage with it", MinStorage)
	case x.Reserved != nil && x.Provisioned != nil && *x.Reserved >= 0 && *x.Provisioned > *x.Reserved:
		return bad("provisioned-concurrency", "%d is more than the %d of reserved-concurrency", *x.Provisioned, *x.Reserved)
	}
	return nil
}

// nearest returns the key of the table that takes the fewest changes from key.
func nearest(key string) string {
	return slices.MinFunc(table, func(a, b row) int {
		return cmp.Compare(distance(key, a.key), distance(key, b.key))
	}).key
}

// distance is Levenshtein's: how many letters to insert, delete or replace.
// What is compared is at most some dozens of letters long.
func distance(a, b string) int {
	if len(a) > 100 {
		a = a[:100]
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
