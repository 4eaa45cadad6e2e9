// Package doctor examines what the provider needs of one AWS account, in one region:
// credentials, permissions, role, limits, bucket, registry; and says what to do. It
// changes nothing, and what is needed is told to it.
package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
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

// Account is what is examined.
type Account struct {
	Config aws.Config // region, credentials and endpoint
	S3     *s3.Client

	// Policy is what the provider has to be allowed, where the account is; an error
	// is that of finding out which account it is.
	Policy func(context.Context) (Policy, error)

	// Role is what functions run as, an ARN; empty when that is not set, or when
	// RolesPath is the path in IAM of the roles that the provider makes.
	Role, RolesPath string

	// Bucket names the bucket of what is too large for Lambda; nil when there shall
	// be none. BucketIsMade says that the provider makes it when it is needed.
	Bucket       func(context.Context) (string, error)
	BucketIsMade bool

	// Images is where container images are pushed to, host/name; empty for ECR of
	// the account.
	Images string
}

// Examine looks at everything. It goes on after what is broken as far as that makes
// sense.
func Examine(ctx context.Context, a Account) []Finding {
	d := &doctor{Account: a, lambda: lambda.NewFromConfig(a.Config), iam: iam.NewFromConfig(a.Config)}
	d.say("region", Fine, d.Config.Region, "")
	if !d.identity(ctx) {
		return d.findings
	}
	d.permissions(ctx)
	d.role(ctx)
	d.limits(ctx)
	d.bucket(ctx)
	d.registry(ctx)
	return d.findings
}

type doctor struct {
	Account
	lambda   *lambda.Client
	iam      *iam.Client
	arn      string // who we are
	findings []Finding
}

func (d *doctor) say(what string, state State, said, advice string) {
	d.findings = append(d.findings, Finding{what, state, said, advice})
}

// identity finds out who we are, and whether our clock is right.
func (d *doctor) identity(ctx context.Context) bool {
	credentials, err := d.Config.Credentials.Retrieve(ctx)
	if err != nil {
		d.say("credentials", Broken, err.Error(),
			"give the provider credentials: a role for the pod (IRSA or pod identity) or the instance, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
		return false
	}
	asked := time.Now()
	out, err := sts.NewFromConfig(d.Config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		d.say("credentials", Broken, awserr.Wrap("ask who we are", err).Error(), d.refusedIdentity(err))
		return false
	}
	d.arn = aws.ToString(out.Arn)
	d.say("credentials", Fine, d.arn+" by "+credentials.Source, "")
	answered, ok := awsmiddleware.GetServerTime(out.ResultMetadata)
	if !ok {
		answered = time.Now()
	}
	skew := answered.Sub(asked).Round(time.Second)
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

// refusedIdentity is what to do when AWS does not tell who we are.
func (d *doctor) refusedIdentity(err error) string {
	region := d.Config.Region
	switch code := awserr.Code(err); {
	case code == "SignatureDoesNotMatch", code == "RequestExpired", code == "InvalidSignatureException":
		return "set the clock, or check the secret key"
	case code == "ExpiredToken", code == "ExpiredTokenException", code == "TokenRefreshRequired":
		return "the credentials have expired: renew them (aws sso login, or a new session token), or give the provider a role, whose credentials renew themselves"
	case code == "InvalidClientTokenId", code == "UnrecognizedClientException", code == "AuthFailure":
		return "AWS does not know the access key: check it, and that it is of the partition of region " + region
	case code == "RegionDisabledException", code == "OptInRequired":
		return "region " + region + " is not enabled for the account: enable it, or set another AWS_REGION"
	case awserr.Kind(code) == backend.ErrThrottled:
		return "AWS refuses for now, because the account asks too often: try again in a minute"
	case code == "":
		return "check that " + region + " is a region of AWS (AWS_REGION), and that sts." + region + ".amazonaws.com can be reached from here: name server, route, proxy"
	}
	return "check that the credentials are valid for region " + region
}

// limits tells how much the account may run at once.
func (d *doctor) limits(ctx context.Context) {
	out, err := d.lambda.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil || out.AccountLimit == nil {
		d.say("limits", Warning, fmt.Sprint(awserr.Wrap("read limits of the account", err)), "allow lambda:GetAccountSettings")
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
	if d.Bucket == nil {
		d.say("bucket", Warning, "there is none", "packages over 50 MB and bodies over 6 MB are refused: set code_bucket, or leave it empty")
		return
	}
	name, err := d.Bucket(ctx)
	if err == nil {
		_, err = d.S3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name})
	}
	switch {
	case err == nil:
		d.say("bucket", Fine, name, "")
	case awserr.Status(err, http.StatusNotFound) && d.BucketIsMade:
		d.say("bucket", Fine, name+" will be made when it is needed", "")
	case awserr.Status(err, http.StatusNotFound):
		d.say("bucket", Broken, name+" does not exist", "make it, or leave code_bucket empty")
	default:
		d.say("bucket", Broken, awserr.Wrap("find bucket "+name, err).Error(), "allow s3:ListBucket on it, or set another code_bucket")
	}
}
