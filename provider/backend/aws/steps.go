package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// create makes a function that does not exist.
func (c *change) create(ctx context.Context) error {
	doing := "create function " + c.plan.name.String()
	text, err := c.doc.pack()
	if err != nil {
		return err
	}
	// A record in S3 is written when there is a function that names it: nobody
	// would find one that was left over.
	long, first := !fits(text), c.doc
	if long {
		first.Records = []record{{Digest: c.digest, At: c.latest.At, Managed: c.latest.Managed}}
		if text, err = first.pack(); err != nil {
			return err
		}
	}
	tags := first.inTags(text)
	tags[tagPending], tags[tagReplicas] = pendingDeploy, strconv.FormatUint(c.replicas, 10)
	maps.Copy(tags, c.plan.Tags)
	in := creation(c.marked(c.plan.configuration(c.code)), c.plan, c.code, tags)
	err = c.asRole(ctx, func(ctx context.Context) error {
		_, err := c.account.lambda.CreateFunction(ctx, in)
		if err != nil && !c.claimed(ctx, err) {
			return awserr.Wrap(doing, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.tags = tags
	if err := c.settle(ctx, ""); err != nil || !long {
		return err
	}
	return c.record(ctx)
}

// marked adds to a configuration which deployment it is of: to its description
// for us, and to its variables so that Lambda takes it for another one, and
// makes a version of it, also when nothing else differs.
func (c *change) marked(in *lambda.UpdateFunctionConfigurationInput) *lambda.UpdateFunctionConfigurationInput {
	in.Description = c.mark.description(c.plan.deployment.Image)
	in.Environment.Variables[deploymentVariable] = c.digest
	return in
}

// claimed tells whether an error is that of a repeated request whose first
// attempt was done and its answer lost: then the function bears our mark.
func (c *change) claimed(ctx context.Context, err error) bool {
	if !repeated[awserr.Code(err)] {
		return false
	}
	out, err := c.account.read(ctx, c.plan.function, "")
	return err == nil && markOf(*out.Configuration) == c.mark
}

// repeated are the codes that a repeated request gets when it was done.
var repeated = map[string]bool{"ResourceConflictException": true, "PreconditionFailedException": true}

// lost says what a conflict means.
func (c *change) lost(err error) error {
	if errors.Is(err, backend.ErrConflict) {
		return fmt.Errorf("%w: another change of the function got ahead", err)
	}
	return err
}

// settle waits for $LATEST, or a version, and remembers what of it the next step
// needs.
func (c *change) settle(ctx context.Context, version string) error {
	out, err := c.b.ready(ctx, c.account, c.plan.function, version)
	if err != nil {
		return err
	}
	if version != "" {
		c.published = *out.Configuration
		return nil
	}
	c.revision = aws.ToString(out.Configuration.RevisionId)
	c.tags, c.arn = out.Tags, aws.ToString(out.Configuration.FunctionArn)
	if m := markOf(*out.Configuration); m != c.mark {
		return backend.Errorf(backend.ErrConflict, "update function %s: another change of the function took it over", c.plan.name)
	}
	return nil
}

// record writes down what is to serve beside what does. New tags make another
// revision of the function (recorded from AWS), which the next steps name.
func (c *change) record(ctx context.Context) error {
	if err := c.write(ctx, pendingDeploy); err != nil {
		return err
	}
	return c.settle(ctx, "")
}

// write brings the tags up to date.
func (c *change) write(ctx context.Context, pending string) error {
	var stale []string
	if c.before != nil && pending == "" {
		stale = userTags(c.before.Deployed)
	}
	more := map[string]string{tagPending: pending, tagReplicas: strconv.FormatUint(c.replicas, 10)}
	if pending != "" {
		delete(more, tagReplicas) // they are those of what serves
	}
	maps.Copy(more, c.plan.Tags)
	doc, tags, err := c.b.writeTags(ctx, c.account, tagged{c.plan.function, c.arn, c.tags}, c.doc, more, stale)
	if err != nil {
		return err
	}
	c.doc, c.tags = doc, tags
	return nil
}

// upload gives $LATEST its new code, when that differs.
func (c *change) upload(ctx context.Context) error {
	if aws.ToString(c.current.config.CodeSha256) == c.code.sha256 && slices.Equal(c.current.config.Architectures, architectures(c.plan.arch)) {
		return nil
	}
	in := &lambda.UpdateFunctionCodeInput{FunctionName: &c.plan.function, Architectures: architectures(c.plan.arch), RevisionId: &c.revision}
	switch {
	case c.code.imageURI != "":
		in.ImageUri = &c.code.imageURI
	case c.code.s3Key != "":
		in.S3Bucket, in.S3Key = &c.code.s3Bucket, &c.code.s3Key
	default:
		in.ZipFile = c.code.zip
	}
	_, err := c.account.lambda.UpdateFunctionCode(ctx, in)
	if err != nil && !c.uploaded(ctx, err) {
		return c.lost(awserr.Wrap("update code of function "+c.plan.name.String(), err))
	}
	return c.settle(ctx, "")
}

// uploaded tells whether code is there although its upload was answered with err.
func (c *change) uploaded(ctx context.Context, err error) bool {
	if !c.claimed(ctx, err) {
		return false
	}
	out, err := c.account.read(ctx, c.plan.function, "")
	return err == nil && c.code.sha256 != "" && aws.ToString(out.Configuration.CodeSha256) == c.code.sha256
}

// publish makes a version of $LATEST.
func (c *change) publish(ctx context.Context) error {
	out, err := c.account.lambda.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &c.plan.function, RevisionId: &c.revision})
	switch {
	case err == nil:
		c.version = aws.ToString(out.Version)
	case c.claimed(ctx, err):
		versions, listErr := c.b.versions(ctx, c.account, c.plan.function)
		if listErr != nil {
			return listErr
		}
		if c.version = versions.of(c.mark); c.version == "" {
			return c.lost(awserr.Wrap("publish function "+c.plan.name.String(), err))
		}
	default:
		return c.lost(awserr.Wrap("publish function "+c.plan.name.String(), err))
	}
	if err := c.settle(ctx, c.version); err != nil {
		return err
	}
	if c.plan.RuntimeUpdates == "" {
		return nil
	}
	return c.manageRuntime(ctx)
}

// manageRuntime says when AWS may change the runtime below the new version.
func (c *change) manageRuntime(ctx context.Context) error {
	in := &lambda.PutRuntimeManagementConfigInput{FunctionName: &c.plan.function, Qualifier: &c.version, UpdateRuntimeOn: lambdatypes.UpdateRuntimeOn(c.plan.RuntimeUpdates)}
	if strings.HasPrefix(c.plan.RuntimeUpdates, "arn:") {
		in.UpdateRuntimeOn, in.RuntimeVersionArn = lambdatypes.UpdateRuntimeOnManual, &c.plan.RuntimeUpdates
	}
	_, err := c.account.lambda.PutRuntimeManagementConfig(ctx, in)
	return awserr.Wrap("manage the runtime of function "+c.plan.name.String(), err)
}

// name gives the first version of a function the name that invocations use.
func (c *change) name(ctx context.Context) error {
	return c.b.nameVersion(ctx, c.account, c.plan.name, c.plan.function, c.version)
}

// serves tells whether invocations reach the deployment that is to serve. It is
// recorded that they do, but other tools can move or remove the alias.
func (c *change) serves(ctx context.Context) (bool, error) {
	out, err := c.account.read(ctx, c.plan.function, liveAlias)
	if awserr.Code(err) == "ResourceNotFoundException" {
		return false, nil
	}
	if err != nil {
		return false, awserr.Wrap("read what serves function "+c.plan.name.String(), err)
	}
	return markOf(*out.Configuration).digest == c.digest, nil
}

// attach makes what belongs to the function beside its versions, and what the
// new deployment has more than the one that serves. What it has less goes in
// finish, when nothing needs it.
func (c *change) attach(ctx context.Context) error {
	at, err := c.attachments(false)
	if err != nil {
		return err
	}
	return c.asRole(ctx, func(ctx context.Context) error { return c.b.attach(ctx, at) })
}

// serve lets the new version take the place of the one that serves. Invocations
// of that one go on to their end.
func (c *change) serve(ctx context.Context) error {
	alias, err := c.b.alias(ctx, c.account, c.plan.function)
	if errors.Is(err, backend.ErrNotFound) { // somebody removed it
		return c.name(ctx)
	}
	if err != nil {
		return err
	}
	return c.b.point(ctx, c.account, c.plan.name, c.plan.function, alias, c.version)
}

// finish removes what only the deployment before needed, and records that
// nothing is left to do.
func (c *change) finish(ctx context.Context) error {
	at, err := c.attachments(true)
	if err == nil {
		err = c.b.attach(ctx, at)
	}
	if err != nil {
		return err
	}
	c.doc = c.doc.serving(c.digest, "")
	if c.current != nil {
		if err := c.b.keepRole(ctx, c.current, c.doc); err != nil {
			return err
		}
	}
	hadS3, before := c.inS3(), c.current != nil
	if err := c.write(ctx, ""); err != nil {
		return err
	}
	// The function serves and is recorded. What is removed from here on costs
	// a little space if it stays, and goes with the next deployment.
	if !before {
		return nil
	}
	if err := c.b.prune(ctx, c.account, c.plan.function, c.doc); err != nil {
		c.b.log.Warn("remove earlier versions", "function", c.plan.name.String(), "error", err)
	}
	if hadS3 || c.inS3() {
		if err := c.account.sweepRecords(ctx, c.plan.function, c.tags); err != nil {
			c.b.log.Warn("remove earlier records", "function", c.plan.name.String(), "error", err)
		}
	}
	return nil
}

func (c *change) inS3() bool {
	_, ok := inS3(c.tags)
	return ok
}
