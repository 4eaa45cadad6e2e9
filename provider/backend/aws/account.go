package aws

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/invocation"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/roles"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/usage"
)

// AccountOptions say where the functions of a namespace are.
type AccountOptions struct {
	AssumeRole string // ARN of the role to act in; empty for the provider's own
	Region     string // empty for the provider's own
	Role       string // that functions run as, as Options.Role, which it is when it is empty
}

// account is one AWS account in one region, through one identity: the clients
// by which the functions of one or more namespaces are reached. Its methods may
// be called concurrently.
type account struct {
	key     AccountOptions
	role    string             // that functions run as: an ARN, or ManagedRole
	config  aws.Config         // for clients of other services: credentials, region, endpoint
	lambda  *lambda.Client     // of the control plane
	sender  *invocation.Sender // of invocations, which are not repeated
	clock   *clock.Clock
	secrets *secretsmanager.Client
	params  *ssm.Client
	usage   *usage.Meter // of its functions
	s3      *s3.Client
	tagging *resourcegroupstaggingapi.Client
	sts     *sts.Client
	events  *eventbridge.Client
	sns     *sns.Client
	logs    *cloudwatchlogs.Client
	ecr     *ecr.Client

	documents documents     // records that were read
	listing   *listing      // of its functions
	roles     *roles.Keeper // that are managed
	unindexed sync.Once     // that there is no index of tags was said
	wanted    string        // name of the bucket by configuration
	mu        sync.Mutex    // guards what follows
	id        string        // twelve digits, once asked for
	partition string        // of AWS: aws, aws-cn, aws-us-gov; asked for with id
	ensured   string        // name of the bucket, once it is known to be there
}

// newAccount makes the clients for key. It calls no service.
func newAccount(cfg aws.Config, key AccountOptions, opts Options) *account {
	if key.Region != "" {
		cfg.Region = key.Region
	}
	if key.AssumeRole != "" {
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), key.AssumeRole, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "faas-lambda"
		}))
	}
	awsTime := &clock.Clock{}
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), awsTime.Watch)
	a := &account{
		clock: awsTime, key: key, role: opts.Role, config: cfg, wanted: opts.CodeBucket, listing: newListing(),
		lambda:  lambda.NewFromConfig(cfg),
		tagging: resourcegroupstaggingapi.NewFromConfig(cfg),
		sts:     sts.NewFromConfig(cfg),
		secrets: secretsmanager.NewFromConfig(cfg),
		params:  ssm.NewFromConfig(cfg),
		usage:   usage.New(cloudwatch.NewFromConfig(cfg)),
		events:  eventbridge.NewFromConfig(cfg),
		sns:     sns.NewFromConfig(cfg),
		logs:    cloudwatchlogs.NewFromConfig(cfg),
		ecr:     ecr.NewFromConfig(cfg),
		roles:   roles.New(iam.NewFromConfig(cfg), cfg.Region, opts.RolePath, opts.RoleBoundary),
		// A bucket as the host's first label needs AWS's own name server.
		s3: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = cfg.BaseEndpoint != nil }),
	}
	if key.Role != "" {
		a.role = key.Role
	}
	a.sender = invocation.New(a.lambda.Options(), transportOf(cfg.HTTPClient), awsTime)
	return a
}

// accounts are the accounts in use, each made when it is first needed.
type accounts struct {
	mu   sync.Mutex // guards made
	made map[AccountOptions]*account
}

// get returns the account of key.
func (c *accounts) get(cfg aws.Config, key AccountOptions, opts Options) *account {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.made[key]
	if a == nil {
		if c.made == nil {
			c.made = map[AccountOptions]*account{}
		}
		a = newAccount(cfg, key, opts)
		c.made[key] = a
	}
	return a
}

// accountID returns the account's twelve digits.
func (a *account) accountID(ctx context.Context) (string, error) {
	a.mu.Lock()
	id := a.id
	a.mu.Unlock()
	if id != "" {
		return id, nil
	}
	out, err := a.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", awserr.Wrap("ask AWS for the account", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.id, a.partition = aws.ToString(out.Account), "aws"
	if parts := strings.Split(aws.ToString(out.Arn), ":"); len(parts) > 1 {
		a.partition = parts[1]
	}
	return a.id, nil
}

// place is where policies of the account's functions are for.
func (a *account) place(ctx context.Context) (policy.Place, error) {
	id, err := a.accountID(ctx)
	if err != nil {
		return policy.Place{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return policy.Place{Partition: a.partition, Region: a.config.Region, Account: id}, nil
}

// noBucket as Options.CodeBucket means that nothing is kept in S3.
const noBucket = policy.NoBucket

// bucket returns the bucket of what is too large for Lambda's own API: code,
// bodies and records. The one named by configuration must be there; the default
// one, faas-lambda-ACCOUNT-REGION, is made when it is missing.
func (a *account) bucket(ctx context.Context) (string, error) {
	a.mu.Lock()
	name := a.ensured
	a.mu.Unlock()
	if name != "" {
		return name, nil
	}
	if a.wanted == noBucket {
		return "", backend.Errorf(backend.ErrInvalid, "keep in S3: the provider has no bucket: set code_bucket")
	}
	name, err := a.bucketName(ctx)
	if err == nil {
		err = a.ensureBucket(ctx, name)
	}
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ensured = name
	return name, nil
}

func (a *account) bucketName(ctx context.Context) (string, error) {
	if a.wanted != "" {
		return a.wanted, nil
	}
	id, err := a.accountID(ctx)
	if err != nil {
		return "", err
	}
	return "faas-lambda-" + id + "-" + a.config.Region, nil
}

// bucketIfAny returns the bucket without making it; empty when there is none.
func (a *account) bucketIfAny(ctx context.Context) (string, error) {
	a.mu.Lock()
	known := a.ensured
	a.mu.Unlock()
	if known != "" || a.wanted == noBucket {
		return known, nil
	}
	name, err := a.bucketName(ctx)
	if err != nil {
		return "", err
	}
	_, err = a.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name})
	if awserr.Status(err, http.StatusNotFound) {
		return "", nil
	}
	return name, awserr.Wrap("find bucket "+name, err)
}

func (a *account) ensureBucket(ctx context.Context, name string) error {
	doing := "find bucket " + name
	_, err := a.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name})
	if err == nil {
		return nil
	}
	if !awserr.Status(err, http.StatusNotFound) {
		return awserr.Wrap(doing, err)
	}
	if a.wanted != "" {
		return backend.Errorf(backend.ErrInvalid, "%s: it does not exist: make it, or leave code_bucket empty", doing)
	}
	in := &s3.CreateBucketInput{Bucket: &name}
	if a.config.Region != "us-east-1" { // S3's own default, which it does not take by name
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(a.config.Region)}
	}
	_, err = a.s3.CreateBucket(ctx, in)
	var mine *s3types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &mine) {
		return awserr.Wrap("make bucket "+name, err)
	}
	return nil
}
