package aws

const annotationsHead = `# What a deployment can say about Lambda

This table is made from the code that reads the annotations, and a test checks that it is current. A value that cannot be used is refused with 400 before anything is touched, by an error that names the annotation; so is an annotation
with this prefix that does not exist, with the name of the nearest that does.

` + "```yaml\nfunctions:\n  reports:\n    image: registry.example.com/reports:1\n    limits: {memory: 512Mi, cpu: \"1\"}\n    constraints: [\"arch=arm64\"]\n    annotations:\n      com.openfaas.lambda/ephemeral-storage: 2Gi\n      com.openfaas.lambda/sqs: arn:aws:sqs:eu-west-1:123456789012:orders?batch-size=10\n      topic: cron-function\n      schedule: \"*/5 * * * *\"\n```" + `

## Fields and labels

| deployment | Lambda |
|---|---|
| ` + "`limits.memory`, else `requests.memory`" + ` | MemorySize in MB, rounded up: 128 at least, 10,240 at most |
| ` + "`limits.cpu`, `requests.cpu`" + ` | MemorySize when that is larger: Lambda gives a vCPU for each 1,769 MB, six at most |
| ` + "`exec_timeout`, `read_timeout`, `write_timeout`" + ` in envVars, else in the image | Timeout: the longest of the three, at most 15 minutes, so that the watchdog's own limit is the one that ends a function |
| ` + "`readOnlyRootFilesystem`" + ` | always so: on Lambda only ` + "`/tmp`" + ` can be written |
| ` + "`constraints`: `arch=arm64`, `kubernetes.io/arch=amd64`" + ` | architecture; other constraints are about nodes, which Lambda does not have, and are kept |
| label ` + "`com.openfaas.scale.min`" + ` | from 2 on: so much provisioned concurrency, unless ` + "`com.openfaas.scale.zero`" + ` is true. Lambda starts an instance when it is needed, so 1 costs nothing and reserves nothing |
| label ` + "`com.openfaas.scale.max`" + ` | reserved concurrency: the most invocations at a time |
| ` + "`/system/scale-function`" + ` | from 2 on: so much provisioned concurrency; 0 and 1: none |
`

const triggersHead = `
## Triggers

A trigger is made when the function is deployed, changed with it, and removed when the annotation or the function is. Where a kind takes several sources, commas separate them. Options stand behind the source as in a URL's
query; a comma in an option is written ` + "`%2C`, an ampersand `%26`" + `. All invoke the alias ` + "`live`" + `, so that a deployment that fails never gets an event. For queues and streams the function's role needs the rights of AWS's managed policies
(such as AWSLambdaSQSQueueExecutionRole).

| annotation | value | example | meaning |
|---|---|---|---|
`

const annotationsTail = `
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

## Namespaces

| annotation of a namespace | meaning |
|---|---|
| ` + "`com.openfaas.lambda/role-arn`" + ` | the role that the provider assumes for functions of the namespace: another AWS account |
| ` + "`com.openfaas.lambda/region`" + ` | their region |
| ` + "`com.openfaas.lambda/role`" + ` | what they run as, instead of ` + "`lambda_execution_role`" + ` |

## Functions made by other tools

A Lambda function with the tag ` + "`faas-lambda:adopt`" + `, or whose name matches the provider's ` + "`adopt_pattern`" + `, is listed, described and invoked by its own name in the default namespace, with the request's body as its payload. It is never
changed, scaled or deleted.
`
