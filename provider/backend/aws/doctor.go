package aws

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Finding is what one examination says.
type Finding struct {
	What   string `json:"what"` // such as "credentials"
	State  State  `json:"state"`
	Said   string `json:"said"`             // what was found
	Advice string `json:"advice,omitempty"` // what to do about it; empty when that is nothing
}

// State is how bad a Finding is.
type State string

// The states. What is Broken keeps the provider from working.
const (
	Fine    State = "ok"
	Warning State = "warning"
	Broken  State = "broken"
)

// maxSkew is how far a clock may be off for signatures to be taken
// (docs.aws.amazon.com/IAM, "Signature Version 4": five minutes).
const maxSkew = 5 * time.Minute

// smallConcurrency is what new accounts may have.
const smallConcurrency = 10

// Examine looks at everything that the provider needs of AWS, and changes
// nothing. It goes on after what is broken as far as that makes sense.
func Examine(ctx context.Context, opts Options) []Finding {
	b, err := Open(ctx, opts)
	if err != nil {
		return []Finding{{"configuration", Broken, err.Error(), "mend the configuration: docs/configuration.md lists it"}}
	}
	d := &doctor{account: b.home, opts: opts}
	d.say("region", Fine, d.account.config.Region, "")
	if !d.identity(ctx) {
		return d.findings
	}
	d.permissions(ctx)
	d.role()
	d.limits(ctx)
	d.bucket(ctx)
	d.registry(ctx)
	return d.findings
}

type doctor struct {
	account  *account
	opts     Options
	arn      string // who we are
	findings []Finding
}

func (d *doctor) say(what string, state State, said, advice string) {
	d.findings = append(d.findings, Finding{what, state, said, advice})
}

// identity finds out who we are, and whether our clock is right.
func (d *doctor) identity(ctx context.Context) bool {
	credentials, err := d.account.config.Credentials.Retrieve(ctx)
	if err != nil {
		d.say("credentials", Broken, err.Error(),
			"give the provider credentials: a role for the pod (IRSA or pod identity) or the instance, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
		return false
	}
	asked := time.Now()
	out, err := d.account.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		advice := "check that the credentials are valid, and that sts." + d.account.config.Region + ".amazonaws.com can be reached"
		if code := errorCode(err); code == "SignatureDoesNotMatch" || code == "RequestExpired" || code == "InvalidSignatureException" {
			advice = "set the clock, or check the secret key"
		}
		d.say("credentials", Broken, awsError("ask who we are", err).Error(), advice)
		return false
	}
	d.arn = aws.ToString(out.Arn)
	d.say("credentials", Fine, d.arn+" by "+credentials.Source, "")
	skew := serverTime(out.ResultMetadata).Sub(asked).Round(time.Second)
	switch {
	case skew.Abs() >= maxSkew:
		d.say("clock", Broken, fmt.Sprintf("off by %s", skew), "set the clock: AWS refuses signatures that are five minutes off")
	case skew.Abs() > time.Minute:
		d.say("clock", Warning, fmt.Sprintf("off by %s", skew), "set the clock: five minutes are the most that AWS takes")
	default:
		d.say("clock", Fine, "as AWS's", "")
	}
	return true
}

// simulated is how many actions one simulation takes.
const simulated = 50

// permissions has IAM say what of the table we may do; where we may not ask
// that, some calls that change nothing are tried.
func (d *doctor) permissions(ctx context.Context) {
	client := iam.NewFromConfig(d.account.config)
	var actions, denied []string
	for _, n := range table {
		if n.why != "Doctor" && n.calls != "GetCallerIdentity" {
			actions = append(actions, n.permissions()...)
		}
	}
	slices.Sort(actions)
	actions = slices.Compact(actions)
	for some := range slices.Chunk(actions, simulated) {
		pages := iam.NewSimulatePrincipalPolicyPaginator(client, &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: aws.String(principal(d.arn)), ActionNames: some,
			// As of a function of ours.
			ContextEntries: []iamtypes.ContextEntry{{ContextKeyName: aws.String("aws:ResourceTag/" + tagService), ContextKeyType: iamtypes.ContextKeyTypeEnumString, ContextKeyValues: []string{"any"}}},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				d.probe(ctx, err)
				return
			}
			for _, r := range page.EvaluationResults {
				if r.EvalDecision != iamtypes.PolicyEvaluationDecisionTypeAllowed {
					denied = append(denied, aws.ToString(r.EvalActionName))
				}
			}
		}
	}
	if len(denied) > 0 {
		d.say("permissions", Warning, "not allowed on every resource: "+strings.Join(denied, ", "),
			"attach what `faas-lambda iam` prints; what it allows on some resources only may be reported here")
		return
	}
	d.say("permissions", Fine, fmt.Sprintf("all %d actions are allowed", len(actions)), "")
}

// principal is whose policies count: the role of a session, without the session.
func principal(arn string) string {
	before, rest, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return arn
	}
	role, _, _ := strings.Cut(rest, "/")
	return strings.Replace(before, ":sts:", ":iam:", 1) + ":role/" + role
}

// probe tries calls that read.
func (d *doctor) probe(ctx context.Context, why error) {
	_, err := d.account.lambda.ListFunctions(ctx, &lambda.ListFunctionsInput{MaxItems: aws.Int32(1)})
	if err != nil {
		d.say("permissions", Broken, awsError("list functions", err).Error(), "attach what `faas-lambda iam` prints")
		return
	}
	d.say("permissions", Warning, "functions may be listed; the rest could not be simulated ("+errorCode(why)+")",
		"allow iam:SimulatePrincipalPolicy to see what is missing")
}

func (d *doctor) role() {
	if d.opts.Role == "" {
		d.say("execution role", Broken, "lambda_execution_role is not set",
			"make a role that Lambda may assume (faas-lambda iam --trust) with the policy of faas-lambda iam --functions, and name its ARN")
		return
	}
	d.say("execution role", Fine, d.opts.Role, "")
}

// limits tells how much the account may run at once.
func (d *doctor) limits(ctx context.Context) {
	out, err := d.account.lambda.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil || out.AccountLimit == nil {
		d.say("limits", Warning, fmt.Sprint(awsError("read limits of the account", err)), "allow lambda:GetAccountSettings")
		return
	}
	most, stored := out.AccountLimit.ConcurrentExecutions, ""
	if out.AccountUsage != nil {
		stored = fmt.Sprintf(", %d functions with %d MB of code", out.AccountUsage.FunctionCount, out.AccountUsage.TotalCodeSize>>20)
		if used, limit := out.AccountUsage.TotalCodeSize, out.AccountLimit.TotalCodeSize; limit > 0 && used > limit/10*9 {
			d.say("code storage", Warning, fmt.Sprintf("%d of %d MB", used>>20, limit>>20), "delete versions that nothing uses, or ask AWS for more")
		}
	}
	said := fmt.Sprintf("%d invocations at once%s", most, stored)
	if most <= smallConcurrency {
		d.say("limits", Warning, said, "ask for more under Service Quotas, Lambda, Concurrent executions: new accounts have 10")
		return
	}
	d.say("limits", Fine, said, "")
}

// bucket looks for the bucket without making it.
func (d *doctor) bucket(ctx context.Context) {
	if d.account.wanted == noBucket {
		d.say("bucket", Warning, "there is none", "packages over 50 MB and bodies over 6 MB are refused: set code_bucket, or leave it empty")
		return
	}
	name, err := d.account.bucketName(ctx)
	if err == nil {
		_, err = d.account.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name})
	}
	switch {
	case err == nil:
		d.say("bucket", Fine, name, "")
	case httpStatus(err, http.StatusNotFound) && d.account.wanted == "":
		d.say("bucket", Fine, name+" will be made when it is needed", "")
	case httpStatus(err, http.StatusNotFound):
		d.say("bucket", Broken, name+" does not exist", "make it, or leave code_bucket empty")
	default:
		d.say("bucket", Broken, awsError("find bucket "+name, err).Error(), "allow s3:ListBucket on it, or set another code_bucket")
	}
}

// registry looks for what container images are pushed to.
func (d *doctor) registry(ctx context.Context) {
	if strings.Contains(d.opts.ImageRepository, "/") {
		d.say("registry", Fine, d.opts.ImageRepository+" (not asked)", "")
		return
	}
	if _, err := ecr.NewFromConfig(d.account.config).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{}); err != nil {
		d.say("registry", Warning, awsError("ask ECR for a token", err).Error(), "allow ecr:GetAuthorizationToken, or functions that need a container image cannot be deployed")
		return
	}
	d.say("registry", Fine, "ECR", "")
}
