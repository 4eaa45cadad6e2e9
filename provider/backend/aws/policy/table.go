package policy

import "strings"

// needed is one operation of AWS that the backend calls, and what it takes to be
// allowed to. A test compares the table with the code.
type needed struct {
	service string // as its Go package is called
	calls   string // operations, separated by spaces
	actions string // in IAM; empty when they are those operations by the service's own prefix
	on      string // resources, of those that Policy fills in
	why     string // the statement's id
	ours    bool   // only on what has our tag
}

// prefixes are what IAM calls services, where that is not the Go package's name.
var prefixes = map[string]string{
	"cloudwatchlogs": "logs", "eventbridge": "events", "resourcegroupstaggingapi": "tag",
}

// table is every operation that the provider calls (the actions and their
// resources: AWS's Service Authorization Reference).
var table = []needed{
	{"lambda", "Invoke InvokeWithResponseStream", "lambda:InvokeFunction", "function", "Invoke", false},
	{"lambda", "GetFunction GetAlias GetPolicy ListVersionsByFunction ListTags", "", "function", "ReadFunctions", false},
	{"lambda", "ListFunctions ListEventSourceMappings ListLayers ListLayerVersions GetAccountSettings", "", "*", "ListFunctions", false},
	{"lambda", "CreateFunction CreateAlias UpdateAlias PublishVersion PutProvisionedConcurrencyConfig DeleteProvisionedConcurrencyConfig " +
		"PutFunctionEventInvokeConfig DeleteFunctionEventInvokeConfig PutRuntimeManagementConfig AddPermission RemovePermission " +
		"CreateFunctionUrlConfig UpdateFunctionUrlConfig DeleteFunctionUrlConfig", "", "function", "DeployFunctions", false},
	{"lambda", "UpdateFunctionCode UpdateFunctionConfiguration DeleteFunction PutFunctionConcurrency DeleteFunctionConcurrency UntagResource", "", "function", "ChangeOwnFunctions", true},
	{"lambda", "TagResource", "", "function", "DeployFunctions", false}, // a function is made with its tags
	{"lambda", "CreateEventSourceMapping UpdateEventSourceMapping DeleteEventSourceMapping", "", "*", "Triggers", false},
	{"lambda", "PublishLayerVersion DeleteLayerVersion", "lambda:PublishLayerVersion lambda:DeleteLayerVersion lambda:GetLayerVersion", "layer", "Layers", false},
	{"resourcegroupstaggingapi", "GetResources", "", "*", "ListFunctions", false},
	{"sts", "GetCallerIdentity", "sts:GetCallerIdentity", "*", "ListFunctions", false}, // which nobody can be denied
	{"iam", "SimulatePrincipalPolicy", "", "self", "Doctor", false},

	// Of roles that are managed.
	{"iam", "CreateRole PutRolePolicy PutRolePermissionsBoundary", "iam:CreateRole iam:PutRolePolicy iam:PutRolePermissionsBoundary", "role", "MakeRoles", false},
	{"iam", "GetRole ListRoleTags GetRolePolicy ListRolePolicies ListAttachedRolePolicies UpdateAssumeRolePolicy DeleteRolePolicy DetachRolePolicy DeleteRole",
		"iam:TagRole iam:GetRole iam:ListRoleTags iam:GetRolePolicy iam:ListRolePolicies iam:ListAttachedRolePolicies iam:UpdateAssumeRolePolicy iam:DeleteRolePolicy iam:DetachRolePolicy iam:DeleteRole", "role", "KeepRoles", false},
	{"iam", "DeleteRolePermissionsBoundary", "", "role", "UnboundRoles", false}, // where they have none by configuration
	{"iam", "ListRoles", "", "*", "FindRoles", false},

	{"s3", "HeadBucket CreateBucket ListObjectsV2 GetBucketLifecycleConfiguration PutBucketLifecycleConfiguration",
		"s3:ListBucket s3:CreateBucket s3:GetLifecycleConfiguration s3:PutLifecycleConfiguration", "bucket", "Bucket", false},
	{"s3", "GetObject HeadObject PutObject DeleteObject", "s3:GetObject s3:PutObject s3:DeleteObject s3:AbortMultipartUpload", "objects", "Objects", false},
	{"s3", "GetBucketNotificationConfiguration PutBucketNotificationConfiguration", "s3:GetBucketNotification s3:PutBucketNotification", "anybucket", "BucketTriggers", false},
	{"sns", "Subscribe Unsubscribe ListSubscriptionsByTopic", "", "topic", "TopicTriggers", false},
	{"eventbridge", "PutRule DeleteRule PutTargets RemoveTargets", "events:PutRule events:DeleteRule events:PutTargets events:RemoveTargets", "rule", "Schedules", false},

	{"secretsmanager", "ListSecrets", "", "*", "ListSecrets", false},
	{"secretsmanager", "CreateSecret DescribeSecret PutSecretValue DeleteSecret RestoreSecret",
		"secretsmanager:CreateSecret secretsmanager:TagResource secretsmanager:DescribeSecret secretsmanager:PutSecretValue secretsmanager:DeleteSecret secretsmanager:RestoreSecret", "secret", "Secrets", false},
	{"ssm", "DescribeParameters", "", "*", "ListSecrets", false},
	{"ssm", "PutParameter DeleteParameter GetParametersByPath", "ssm:PutParameter ssm:DeleteParameter ssm:GetParametersByPath ssm:AddTagsToResource", "parameter", "Parameters", false},

	{"cloudwatchlogs", "FilterLogEvents CreateLogGroup PutRetentionPolicy DeleteRetentionPolicy", "", "loggroup", "Logs", false},
	{"cloudwatch", "GetMetricData", "", "*", "ListFunctions", false},
	{"ecr", "GetAuthorizationToken", "", "*", "Registry", false},
	{"ecr", "CreateRepository DescribeRepositories PutLifecyclePolicy SetRepositoryPolicy",
		"ecr:CreateRepository ecr:DescribeRepositories ecr:PutLifecyclePolicy ecr:SetRepositoryPolicy ecr:GetRepositoryPolicy " +
			// What the registry asks for at a pull and a push.
			"ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer ecr:InitiateLayerUpload ecr:UploadLayerPart ecr:CompleteLayerUpload ecr:PutImage", "repository", "Repository", false},
}

// roles tells whether an operation is about managed roles, which not everybody has.
func (n needed) roles() bool {
	return n.service == "iam" && n.why != "Doctor"
}

// permissions returns the actions that n's operations need.
func (n needed) permissions() []string {
	if n.actions != "" {
		return strings.Fields(n.actions)
	}
	prefix := n.service
	if p := prefixes[n.service]; p != "" {
		prefix = p
	}
	var out []string
	for _, operation := range strings.Fields(n.calls) {
		out = append(out, prefix+":"+operation)
	}
	return out
}

// Needs tells whether the table of what the provider may call has an operation,
// by the SDK's ids of service and operation, such as "Secrets Manager" and
// "CreateSecret".
func Needs(service, operation string) bool {
	service = strings.ToLower(strings.ReplaceAll(service, " ", ""))
	for _, n := range table {
		if n.service != service {
			continue
		}
		for _, call := range strings.Fields(n.calls) {
			if call == operation {
				return true
			}
		}
	}
	return false
}
