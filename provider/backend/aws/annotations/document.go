package annotations

import (
	"fmt"
	"strings"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger"
)

// document is docs/annotations.md.
func document() string {
	var out strings.Builder
	out.WriteString(documentHead)
	write := func(a row) {
		fmt.Fprintf(&out, "| `%s%s` | %s | `%s` | %s |\n", Prefix, a.key, a.value, a.example, a.meaning)
	}
	out.WriteString("\n## Of the function\n\n| annotation | value | example | meaning |\n|---|---|---|---|\n")
	for _, a := range table[:len(table)-len(trigger.Kinds)] {
		write(a)
	}
	out.WriteString(triggersHead)
	for _, a := range triggerRows() {
		write(a)
	}
	out.WriteString(documentTail)
	return out.String()
}

const documentHead = `# What a deployment can say about Lambda

This table is made from the code that reads the annotations, and a test checks that it is current. A value that cannot be used is refused with 400 before anything is touched, by an error that names the annotation; so is an annotation
with this prefix that does not exist, with the name of the nearest that does. What AWS alone knows, such as that a queue is not there, is refused when AWS says so: the error names the annotation too, and the deployment is undone.

` + "```yaml\nfunctions:\n  reports:\n    image: registry.example.com/reports:1\n    limits: {memory: 512Mi, cpu: \"1\"}\n    constraints: [\"arch=arm64\"]\n    annotations:\n      com.openfaas.lambda/ephemeral-storage: 2Gi\n      com.openfaas.lambda/sqs: arn:aws:sqs:eu-west-1:123456789012:orders?batch-size=10\n      topic: cron-function\n      schedule: \"*/5 * * * *\"\n```" + `

## Fields and labels

| deployment | Lambda |
|---|---|
| ` + "`limits.memory`, else `requests.memory`" + ` | MemorySize in MB, rounded up: 128 at least, 10,240 at most |
| ` + "`limits.cpu`, `requests.cpu`" + ` | MemorySize when that is larger: Lambda gives a vCPU for each 1,769 MB, six at most |
| ` + "`exec_timeout`, `read_timeout`, `write_timeout`" + ` in envVars, else in the image | Timeout: the longest of the three, at most 15 minutes, so that the watchdog's own limit is the one that ends a function |
| ` + "`readOnlyRootFilesystem`" + ` | always so: on Lambda only ` + "`/tmp`" + ` can be written |
| ` + "`constraints`: `arch=arm64`, `kubernetes.io/arch=amd64`" + ` | architecture; other constraints are about nodes, which Lambda does not have, and are kept |
| label ` + "`com.openfaas.scale.min`" + ` | from 2 on: so much provisioned concurrency on what serves. Lambda starts an instance when it is needed, so 1 costs nothing and reserves nothing |
| label ` + "`com.openfaas.scale.max`" + ` | reserved concurrency: the most invocations at a time, taken from the account's own limit |
| label ` + "`com.openfaas.scale.zero`" + `: ` + "`true`" + ` | scaled down, the function stands ready, as Lambda's functions do; and its ` + "`scale.min`" + ` provisions nothing |
| ` + "`/system/scale-function`" + ` | from 2 on: so much provisioned concurrency, but no more than may run at a time by the label or the annotation for that; 1: none; 0: reserved concurrency of 0, so that nothing runs and invocations get 429, until it is scaled up again (a gateway with ` + "`scale_from_zero`" + ` does that by itself) |
`

const triggersHead = `
## Triggers

A trigger is made when the function is deployed, changed with it, and removed when the annotation or the function is. One that another tool removed comes back with the next deployment, also with the same once more. Where a kind takes several sources, commas separate them. Options stand behind the source as in a URL's
query; a comma in an option is written ` + "`%2C`, an ampersand `%26`" + `. All invoke the alias ` + "`live`" + `, so that a deployment that fails never gets an event. For queues and streams the function's role needs rights, which a
managed role has, and ` + "`faas-lambda iam --function NAME --annotation …`" + ` prints for another (docs/iam.md).

| annotation | value | example | meaning |
|---|---|---|---|
`

const documentTail = `
| options | of | meaning |
|---|---|---|
| ` + "`batch-size`, `window`" + ` | sqs, kinesis, dynamodb, kafka | the most records of an invocation, and how long to gather them |
| ` + "`concurrency`" + ` | sqs | the most invocations at a time, 2 to 1000 |
| ` + "`position`" + ` | kinesis, dynamodb, kafka | ` + "`LATEST`, as without it, or `TRIM_HORIZON`" + ` |
| ` + "`parallelization`, `retries`, `max-age`, `bisect`, `on-failure`" + ` | kinesis, dynamodb | of the event source mapping |
| ` + "`report-failures`" + ` | sqs, kinesis, dynamodb | the function answers which records failed |
| ` + "`filter`" + ` | sqs, kinesis, dynamodb, kafka, sns | a pattern as JSON: others are left out |
| ` + "`topic`, `group`, `secret`, `auth`" + ` | kafka | topic, consumer group, ARN of the credentials in Secrets Manager and how they are used |
| ` + "`events`, `prefix`, `suffix`" + ` | s3 | which events; several are separated by spaces |
| ` + "`mode`, `cors-origins`" + ` | url | ` + "`BUFFERED` or `RESPONSE_STREAM`" + `; origins that browsers may call from, separated by spaces |

## Deployments and versions

Each deployment is a version of the Lambda function, and the alias ` + "`live`" + ` names the one that serves. A new version is published beside it, started once, made ready with all that belongs to it, and takes its place in one step; invocations of the one before
go on to their end. What starts it is a request for ` + "`/_/health`" + `, which the watchdog answers by itself and AWS counts as an invocation: a version whose process does not start is refused with 400, and the one before goes on serving. A deployment that fails is undone; one whose provider ended in the middle is undone or completed by the next list, deployment or deletion of any provider, two minutes after its last step, by AWS's clock. The same deployment again makes no new version.

` + "`faas-lambda rollback NAME`" + ` lets the deployment before serve again, ` + "`--list`" + ` shows those that are kept, and the annotation ` + "`com.openfaas.lambda/rollback`" + ` does the same in an update.

What was deployed is recorded in the function's tags (` + "`faas-lambda:…`" + `), or in the provider's bucket under ` + "`records/`" + ` where it is longer than 8 KB compressed. Other tags are left alone. The variable ` + "`FAAS_LAMBDA_DEPLOYMENT`" + ` holds the
deployment's id in the function; its 44 bytes count among Lambda's 4 KB.

## Namespaces

` + "`/system/namespace/NAME`" + ` makes, changes and removes namespaces; they are parameters of SSM below ` + "`/faas-lambda/namespaces/`" + ` in the provider's own account. A function of another namespace than the default one is called ` + "`NAMESPACE_NAME`" + ` in Lambda.
The section ` + "`namespaces`" + ` of the configuration file (docs/configuration.md) names some that are always there.

| annotation of a namespace | meaning |
|---|---|
| ` + "`com.openfaas.lambda/role-arn`" + ` | the role that the provider assumes for functions of the namespace: another AWS account |
| ` + "`com.openfaas.lambda/region`" + ` | their region |
| ` + "`com.openfaas.lambda/role`" + ` | what they run as, instead of ` + "`lambda_execution_role`: an ARN, or `managed`" + ` |

A namespace whose role the provider cannot assume is not made. Account and region of one are changed while no function is in it. Where its role cannot be assumed any more, that is not known: it is not removed then, and an update that names another role, or none, leaves
behind what there may be.

## Functions made by other tools

A Lambda function with the tag ` + "`faas-lambda:adopt`" + `, or whose name matches the provider's ` + "`adopt_pattern`" + `, is listed, described and invoked by its own name in the default namespace, with the request's body as its payload. It is never
changed, scaled or deleted: that is a 409. The tag with the value ` + "`false`" + ` excepts a function from the pattern. Its variables are not shown.
`
