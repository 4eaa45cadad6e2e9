package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/notation"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/secrets"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger"
)

// Grants are what the policy of one function's role depends on.
type Grants struct {
	Function string                   // its name in Lambda
	Deployed types.FunctionDeployment // its namespace, secrets and annotations count
	Store    string                   // of its secrets, as in Place
	Keys     []string                 // KMS keys of one's own that encrypt its secrets: ARNs, ids or aliases
}

// ForFunction returns what the role of one function has to be allowed, and no
// more: to write its log, to read its own secrets, and what its annotations take.
// The provider puts the same policy on the roles that it manages. Bodies of
// requests in S3 come by signed URLs and need no permission.
func ForFunction(p Place, g Grants) (Document, error) {
	p = p.withDefaults()
	x, err := annotations.Read(g.Deployed)
	if err != nil {
		return Document{}, err
	}
	out := Document{Version: policyVersion}
	out.Statement = append(out.Statement, p.writeLogs(cmp.Or(x.LogGroup, "/aws/lambda/"+g.Function)))
	if len(g.Deployed.Secrets) > 0 {
		out.Statement = append(out.Statement, p.readSecrets(g.Store, g.Deployed.Namespace, g.Deployed.Secrets...))
	}
	out.Statement = append(out.Statement, p.decrypt(x.KMSKey, g.Keys)...)
	out.Statement = append(out.Statement, p.placed(x)...)
	out.Statement = append(out.Statement, p.sent(x)...)
	out.Statement = append(out.Statement, p.polled(x.Triggers)...)
	return out, nil
}

// ForNamespace returns what a role that all functions of a namespace share has
// to be allowed for logs and secrets, which are those of all.
func ForNamespace(p Place, namespace, store string) Document {
	p = p.withDefaults()
	return Document{Version: policyVersion, Statement: []Statement{p.writeLogs("/aws/lambda/*"), p.readSecrets(store, namespace, "*")}}
}

// Trust returns who may take the role of functions: Lambda, and where the
// place has an account, only for functions of that.
func Trust(p Place) Document {
	s := Statement{Sid: "Lambda", Effect: "Allow", Principal: map[string]string{"Service": "lambda.amazonaws.com"}, Action: []string{"sts:AssumeRole"}}
	if p.Account != "" {
		s.Condition = map[string]map[string][]string{"StringEquals": {"aws:SourceAccount": {p.Account}}}
	}
	return Document{Version: policyVersion, Statement: []Statement{s}}
}

func allow(sid string, actions string, resources ...string) Statement {
	return Statement{Sid: sid, Effect: "Allow", Action: strings.Fields(actions), Resource: resources}
}

func (p Place) writeLogs(group string) Statement {
	arn := p.arn("logs", "log-group:"+group)
	return allow("WriteLogs", "logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents", arn, arn+":*")
}

func (p Place) readSecrets(store, namespace string, names ...string) Statement {
	s := allow("ReadSecrets", "secretsmanager:GetSecretValue")
	if store == secrets.ParameterStore {
		s.Action = []string{"ssm:GetParameter"}
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		id := secrets.Key{Namespace: namespace, Name: name}.ID()
		if store == secrets.ParameterStore {
			s.Resource = append(s.Resource, p.arn("ssm", "parameter/"+id))
		} else {
			// Secrets Manager adds six characters to the name.
			s.Resource = append(s.Resource, p.arn("secretsmanager", "secret:"+id+"-??????"))
		}
	}
	return s
}

// decrypt is about keys of one's own. An alias is no resource of a policy: what
// it stands for is a condition (docs.aws.amazon.com/kms, "Use aliases to control
// access to KMS keys").
func (p Place) decrypt(variables string, keys []string) []Statement {
	var resources, aliases []string
	for _, key := range slices.Sorted(slices.Values(append(slices.Clone(keys), variables))) {
		_, alias, isAlias := strings.Cut(key, "alias/") // an id has no slash
		switch {
		case key == "", strings.HasPrefix(alias, "aws/"): // AWS's own, which every role of the account may use
		case isAlias:
			aliases = append(aliases, "alias/"+alias)
		case strings.HasPrefix(key, "arn:"):
			resources = append(resources, key)
		default:
			resources = append(resources, p.arn("kms", "key/"+key))
		}
	}
	var out []Statement
	if len(resources) > 0 {
		out = append(out, allow("Decrypt", "kms:Decrypt", slices.Compact(resources)...))
	}
	if len(aliases) > 0 {
		s := allow("DecryptByAlias", "kms:Decrypt", p.arn("kms", "key/*"))
		s.Condition = map[string]map[string][]string{"ForAnyValue:StringEquals": {"kms:ResourceAliases": slices.Compact(aliases)}}
		out = append(out, s)
	}
	return out
}

// placed is what the function's place takes: its network, file systems and traces
// (AWS's managed policies AWSLambdaVPCAccessExecutionRole,
// AmazonElasticFileSystemClientReadWriteAccess and AWSXRayDaemonWriteAccess).
func (p Place) placed(x annotations.Settings) []Statement {
	var out []Statement
	kafka := slices.ContainsFunc(x.Triggers, func(t trigger.Trigger) bool { return t.Kind == "kafka" })
	if len(x.Subnets) > 0 || kafka {
		actions := "ec2:CreateNetworkInterface ec2:DescribeNetworkInterfaces ec2:DescribeSubnets ec2:DeleteNetworkInterface ec2:AssignPrivateIpAddresses ec2:UnassignPrivateIpAddresses"
		if kafka { // whose poller has network interfaces of its own
			actions += " ec2:DescribeVpcs ec2:DescribeSecurityGroups"
		}
		out = append(out, allow("Network", actions, "*"))
	}
	for _, fs := range x.FileSystems { // annotations take one
		s := allow("FileSystem", "elasticfilesystem:ClientMount elasticfilesystem:ClientWrite", p.arn("elasticfilesystem", "file-system/*"))
		s.Condition = map[string]map[string][]string{"StringEquals": {"elasticfilesystem:AccessPointArn": {fs.ARN}}}
		out = append(out, s)
	}
	if x.Tracing {
		out = append(out, allow("Trace", "xray:PutTraceSegments xray:PutTelemetryRecords", "*"))
	}
	return out
}

// deliveries are what it takes to send something to a service, by the service's
// name in ARNs.
var deliveries = map[string]struct{ sid, action string }{
	"sqs":    {"SendToQueues", "sqs:SendMessage"},
	"sns":    {"SendToTopics", "sns:Publish"},
	"events": {"SendToBuses", "events:PutEvents"},
	"lambda": {"SendToFunctions", "lambda:InvokeFunction"},
	"s3":     {"SendToBuckets", "s3:PutObject s3:ListBucket"},
}

// sent is what Lambda sends on in the role of the function: what failed, and
// results of asynchronous invocations.
func (p Place) sent(x annotations.Settings) []Statement {
	to := map[string][]string{}
	add := func(arn string) {
		if service := notation.Service(arn); service != "" {
			to[service] = append(to[service], arn)
			if service == "s3" {
				to["s3"] = append(to["s3"], arn+"/*")
			}
		}
	}
	for _, arn := range []string{x.DeadLetter, x.OnSuccess, x.OnFailure} {
		add(arn)
	}
	for _, t := range x.Triggers {
		if t.Mapped() { // the dead letters of a topic are sent by the topic
			add(t.Options["on-failure"])
		}
	}
	var out []Statement
	for _, service := range []string{"sqs", "sns", "events", "lambda", "s3"} {
		if arns := to[service]; len(arns) > 0 {
			slices.Sort(arns)
			out = append(out, allow(deliveries[service].sid, deliveries[service].action, slices.Compact(arns)...))
		}
	}
	return out
}

// sources are what Lambda's pollers need, by the kind of trigger (AWS's managed
// policies AWSLambdaSQSQueueExecutionRole, …KinesisExecutionRole,
// …DynamoDBExecutionRole and …MSKExecutionRole).
var sources = []struct{ kind, sid, actions string }{
	{"sqs", "PollQueues", "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes sqs:ChangeMessageVisibility"},
	{"kinesis", "PollStreams", "kinesis:DescribeStream kinesis:DescribeStreamSummary kinesis:GetRecords kinesis:GetShardIterator kinesis:ListShards"},
	{"dynamodb", "PollTables", "dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator"},
	{"kafka", "PollClusters", "kafka:DescribeCluster kafka:DescribeClusterV2 kafka:GetBootstrapBrokers"},
}

// listings are what such pollers need on everything.
var listings = map[string]string{"kinesis": "kinesis:ListStreams", "dynamodb": "dynamodb:ListStreams"}

// polled is what triggers take that Lambda polls. The others call the function,
// and need no permission of its role.
func (p Place) polled(triggers []trigger.Trigger) []Statement {
	var out []Statement
	var listed, credentials []string
	for _, from := range sources {
		var arns []string
		for _, t := range triggers {
			if t.Kind != from.kind {
				continue
			}
			if strings.HasPrefix(t.Source, "arn:") { // else brokers of one's own
				arns = append(arns, t.Source)
			}
			if secret := t.Options["secret"]; secret != "" {
				credentials = append(credentials, secret)
			}
		}
		if len(arns) == 0 {
			continue
		}
		slices.Sort(arns)
		out = append(out, allow(from.sid, from.actions, slices.Compact(arns)...))
		if action := listings[from.kind]; action != "" {
			listed = append(listed, action)
		}
	}
	if len(listed) > 0 {
		out = append(out, allow("ListStreams", strings.Join(listed, " "), "*"))
	}
	if len(credentials) > 0 {
		slices.Sort(credentials)
		out = append(out, allow("ReadCredentials", "secretsmanager:GetSecretValue", slices.Compact(credentials)...))
	}
	return out
}
