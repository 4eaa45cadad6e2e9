package aws

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// restore makes $LATEST like the version that serves.
func (b *Backend) restore(ctx context.Context, f *found, digest string) error {
	if markOf(f.config).digest == digest {
		return nil
	}
	versions, err := b.versions(ctx, f.account, f.function())
	if err != nil {
		return err
	}
	serving, ok := versions.deployment(digest)
	if !ok {
		return fmt.Errorf("%w: no version is of deployment %s", errRecord, digest)
	}
	now, err := b.ready(ctx, f.account, f.function(), "")
	if err != nil && !errors.Is(err, errNotReady) {
		return err
	}
	in := configurationOf(serving)
	if now != nil {
		in = resetting(in, *now.Configuration)
		in.RevisionId = now.Configuration.RevisionId
	}
	if _, err := f.account.lambda.UpdateFunctionConfiguration(ctx, in); err != nil {
		out, lookErr := f.account.read(ctx, f.function(), "")
		if !repeated[awserr.Code(err)] || lookErr != nil || markOf(*out.Configuration) != markOf(serving) {
			return awserr.Wrap("restore function "+f.name.String(), err)
		}
	}
	_, err = b.ready(ctx, f.account, f.function(), "")
	return err
}

// publishFirst publishes a function that was made before functions had versions:
// what its $LATEST is becomes its first.
func (b *Backend) publishFirst(ctx context.Context, f *found) error {
	r := f.doc.Records[0]
	p := plan{deployment: r.Deployed}
	p.deployment.Service, p.deployment.Namespace = f.name.Function, f.name.Namespace
	digest, err := p.digest(code{sha256: aws.ToString(f.config.CodeSha256)})
	if err != nil {
		return err
	}
	m := markOf(f.config)
	if m.digest != digest {
		m = mark{digest, newToken()}
		env := configurationOf(f.config).Environment
		env.Variables[deploymentVariable] = digest
		_, err := f.account.lambda.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
			FunctionName: f.config.FunctionName, RevisionId: f.config.RevisionId, Description: m.description(r.Deployed.Image), Environment: env,
		})
		if err != nil {
			return awserr.Wrap("publish function "+f.name.String(), err)
		}
	}
	if _, err := b.ready(ctx, f.account, f.function(), ""); err != nil {
		return err
	}
	out, err := f.account.lambda.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: f.config.FunctionName})
	if err != nil {
		return awserr.Wrap("publish function "+f.name.String(), err)
	}
	_, err = f.account.lambda.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: f.config.FunctionName, Name: aws.String(liveAlias), FunctionVersion: out.Version})
	if err != nil && !repeated[awserr.Code(err)] {
		return awserr.Wrap("publish function "+f.name.String(), err)
	}
	doc := f.doc
	doc.first, doc.Replicas, doc.Current = false, 0, digest
	doc.Records = []record{{Digest: digest, Deployed: r.Deployed, At: r.At}}
	more := map[string]string{tagPending: "", tagReplicas: strconv.FormatUint(f.doc.Replicas, 10)}
	_, _, err = b.writeTags(ctx, f.account, f.tagged(), doc, more, nil)
	return err
}

// userTags are the keys of the tags that a deployment puts on its function.
func userTags(d types.FunctionDeployment) []string {
	x, err := annotations.Read(d)
	if err != nil {
		return nil // it was deployed by a program that knew other annotations
	}
	keys := make([]string, 0, len(x.Tags))
	for key := range x.Tags {
		keys = append(keys, key)
	}
	return keys
}
