package aws

import (
	"context"
	"errors"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger"
)

// belongings are what a deployment has in AWS beside the versions of its
// function.
type belongings struct {
	provisioned int32 // instances kept initialised
	reserved    int32 // the most invocations at a time; unreserved: no limit of its own
	logGroup    string
	retention   int32 // days; annotations.Forever; 0: left alone
	async       async
	triggers    []trigger.Trigger
}

// async is how invocations are treated that nobody waits for.
type async struct {
	onSuccess, onFailure string
	retries, maxAge      int32 // -1: Lambda's own
}

const unreserved = -1

// belongingsOf returns what a deployment has, scaled to replicas.
func belongingsOf(d types.FunctionDeployment, function string, replicas uint64) (belongings, error) {
	x, err := annotations.Read(d)
	if err != nil {
		return belongings{}, err
	}
	provisioned, reserved, err := concurrency(d, x, replicas)
	if err != nil {
		return belongings{}, err
	}
	all := belongings{
		provisioned: provisioned, reserved: reserved, logGroup: x.LogGroup, retention: x.Retention, triggers: x.Triggers,
		async: async{onSuccess: x.OnSuccess, onFailure: x.OnFailure, retries: -1, maxAge: -1},
	}
	if x.Retries != nil {
		all.async.retries = *x.Retries
	}
	if x.MaxAge != nil {
		all.async.maxAge = *x.MaxAge
	}
	if all.logGroup == "" {
		all.logGroup = logGroup(function)
	}
	return all, nil
}

// nothing are the belongings of a function that was just made.
var nothing = belongings{reserved: unreserved, async: async{retries: -1, maxAge: -1}}

// attachment is what a function is to have, and what it may have.
type attachment struct {
	account  *account
	name     backend.Name
	function string
	arn      string // of the function, unqualified
	want     belongings
	had      []belongings // of the deployments that it may be of; none: nothing yet
	late     bool         // what serves is what is wanted: what it does not need may go
	unsure   bool         // it may have anything: the record of it cannot be read
}

// differs tells whether a part of what is wanted may not be what is there.
func (at attachment) differs(part func(belongings) any) bool {
	if at.unsure {
		return true
	}
	for _, had := range at.had {
		if !reflect.DeepEqual(part(had), part(at.want)) {
			return true
		}
	}
	return false
}

// attachments is what the change needs.
func (c *change) attachments(late bool) (attachment, error) {
	at := attachment{account: c.account, name: c.plan.name, function: c.plan.function, arn: c.arn, had: []belongings{nothing}, late: late}
	var err error
	if at.want, err = belongingsOf(c.plan.deployment, c.plan.function, c.replicas); err != nil {
		return at, err
	}
	at.unsure = c.current != nil && c.current.damaged != nil
	if c.before != nil {
		had, err := belongingsOf(c.before.Deployed, c.plan.function, c.current.replicas(*c.before))
		at.had[0], at.unsure = had, err != nil // another program deployed it
	}
	return at, nil
}

// attach makes what is wanted. Before the new version serves, what the one that
// serves needs stays: only when it is late, that goes.
func (b *Backend) attach(ctx context.Context, at attachment) error {
	for _, step := range []func(context.Context, attachment) error{b.setConcurrency, b.setRetention, b.setAsync, b.setTriggers} {
		if err := step(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// setConcurrency reserves before the new version serves, and provisions after:
// instances of the version before would be of no use. Provisioned concurrency is
// never more than the reserved one, so what shrinks shrinks first.
func (b *Backend) setConcurrency(ctx context.Context, at attachment) error {
	shrinks := at.unsure
	for _, had := range at.had {
		shrinks = shrinks || had.provisioned > at.want.provisioned
	}
	if shrinks && !at.late {
		if err := at.provision(ctx); err != nil {
			return err
		}
	}
	if !at.late && at.differs(func(b belongings) any { return b.reserved }) {
		return at.reserve(ctx)
	}
	if at.late && !shrinks && at.want.provisioned > 0 && at.differs(func(b belongings) any { return b.provisioned }) {
		return at.provision(ctx)
	}
	return nil
}

// reserve sets the most invocations at a time.
func (at attachment) reserve(ctx context.Context) error {
	doing := "reserve concurrency for function " + at.name.String() + ", by label " + maxReplicasLabel + " or annotation " + annotations.Prefix + "reserved-concurrency"
	if at.want.reserved == unreserved {
		_, err := at.account.lambda.DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: &at.function})
		return awserr.Wrap(doing, err)
	}
	_, err := at.account.lambda.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &at.function, ReservedConcurrentExecutions: &at.want.reserved})
	return awserr.Wrap(doing, err)
}

// provision sets how many instances are kept initialised.
func (at attachment) provision(ctx context.Context) error {
	doing := "provision concurrency for function " + at.name.String() + ", by its replicas, label " + backend.MinReplicasLabel + " or annotation " + annotations.Prefix + "provisioned-concurrency"
	if at.want.provisioned == 0 {
		_, err := at.account.lambda.DeleteProvisionedConcurrencyConfig(ctx, &lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: &at.function, Qualifier: aws.String(liveAlias)})
		var none *lambdatypes.ProvisionedConcurrencyConfigNotFoundException
		if errors.As(err, &none) {
			return nil
		}
		return awserr.Wrap(doing, err)
	}
	_, err := at.account.lambda.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{
		FunctionName: &at.function, Qualifier: aws.String(liveAlias), ProvisionedConcurrentExecutions: &at.want.provisioned,
	})
	return awserr.Wrap(doing, err)
}

// setRetention says how long log lines are kept. Lambda makes a function's log
// group at its first line; here it may be earlier.
func (b *Backend) setRetention(ctx context.Context, at attachment) error {
	if at.late || at.want.retention == 0 || !at.differs(func(b belongings) any { return [2]any{b.retention, b.logGroup} }) {
		return nil
	}
	doing := "keep the log of function " + at.name.String()
	_, err := at.account.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &at.want.logGroup})
	var exists *logstypes.ResourceAlreadyExistsException
	if err != nil && !errors.As(err, &exists) {
		return awserr.Wrap(doing, err)
	}
	if at.want.retention == annotations.Forever {
		_, err = at.account.logs.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: &at.want.logGroup})
		return awserr.Wrap(doing, err)
	}
	_, err = at.account.logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: &at.want.logGroup, RetentionInDays: &at.want.retention})
	return awserr.Wrap(doing, err)
}

// setAsync says what becomes of invocations that nobody waits for.
func (b *Backend) setAsync(ctx context.Context, at attachment) error {
	if at.late || !at.differs(func(b belongings) any { return b.async }) {
		return nil
	}
	doing := "configure asynchronous invocations of function " + at.name.String()
	if at.want.async == nothing.async {
		_, err := at.account.lambda.DeleteFunctionEventInvokeConfig(ctx, &lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: &at.function, Qualifier: aws.String(liveAlias)})
		if awserr.Code(err) == "ResourceNotFoundException" {
			return nil
		}
		return awserr.Wrap(doing, err)
	}
	in := &lambda.PutFunctionEventInvokeConfigInput{FunctionName: &at.function, Qualifier: aws.String(liveAlias), DestinationConfig: &lambdatypes.DestinationConfig{}}
	if to := at.want.async.onSuccess; to != "" {
		in.DestinationConfig.OnSuccess = &lambdatypes.OnSuccess{Destination: &to}
	}
	if to := at.want.async.onFailure; to != "" {
		in.DestinationConfig.OnFailure = &lambdatypes.OnFailure{Destination: &to}
	}
	if n := at.want.async.retries; n >= 0 {
		in.MaximumRetryAttempts = &n
	}
	if n := at.want.async.maxAge; n >= 0 {
		in.MaximumEventAgeInSeconds = &n
	}
	_, err := at.account.lambda.PutFunctionEventInvokeConfig(ctx, in)
	return awserr.Wrap(doing, err)
}

// setTriggers makes and removes what invokes the function by itself.
func (b *Backend) setTriggers(ctx context.Context, at attachment) error {
	triggers := trigger.Attachment{
		Clients: trigger.Clients{Lambda: at.account.lambda, S3: at.account.s3, SNS: at.account.sns, Events: at.account.events, AccountID: at.account.accountID},
		Name:    at.name, Function: at.function, ARN: at.arn, Alias: liveAlias,
		Want: at.want.triggers, Late: at.late, Unsure: at.unsure, Patience: b.opts.DeployTimeout,
	}
	for _, had := range at.had {
		triggers.Had = append(triggers.Had, had.triggers)
	}
	return trigger.Set(ctx, triggers)
}
