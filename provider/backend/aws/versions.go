package aws

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
)

// versionList is the published versions of a function, the latest first.
type versionList []lambdatypes.FunctionConfiguration

// versions lists the published versions of a function.
func (b *Backend) versions(ctx context.Context, a *account, function string) (versionList, error) {
	var all versionList
	pages := lambda.NewListVersionsByFunctionPaginator(a.lambda, &lambda.ListVersionsByFunctionInput{FunctionName: &function})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap("list versions of function "+function, err)
		}
		for _, v := range page.Versions {
			if aws.ToString(v.Version) != "$LATEST" {
				all = append(all, v)
			}
		}
	}
	number := func(c lambdatypes.FunctionConfiguration) int {
		n, err := strconv.Atoi(aws.ToString(c.Version))
		if err != nil {
			return 0 // Lambda numbers them
		}
		return n
	}
	slices.SortFunc(all, func(a, b lambdatypes.FunctionConfiguration) int { return number(b) - number(a) })
	return all, nil
}

// of returns the version that one change published; empty when it did not.
func (l versionList) of(m mark) string {
	for _, v := range l {
		if markOf(v) == m {
			return aws.ToString(v.Version)
		}
	}
	return ""
}

// deployment returns the latest version of a deployment.
func (l versionList) deployment(digest string) (lambdatypes.FunctionConfiguration, bool) {
	i := slices.IndexFunc(l, func(v lambdatypes.FunctionConfiguration) bool { return markOf(v).digest == digest })
	if i < 0 {
		return lambdatypes.FunctionConfiguration{}, false
	}
	return l[i], true
}

// prune removes the versions that are of no deployment in doc, but for what
// serves, and those that somebody else published.
func (b *Backend) prune(ctx context.Context, a *account, function string, doc document) error {
	versions, err := b.versions(ctx, a, function)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, v := range versions {
		digest := markOf(v).digest
		if _, err := doc.record(digest); digest == "" || err == nil && !seen[digest] {
			seen[digest] = true
			continue
		}
		_, err := a.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &function, Qualifier: v.Version})
		if err != nil && awserr.Code(err) != "ResourceConflictException" && awserr.Code(err) != "ResourceNotFoundException" { // an alias uses it, or it is gone
			return awserr.Wrap("remove version "+aws.ToString(v.Version)+" of function "+function, err)
		}
	}
	return nil
}

// alias returns the alias that invocations use; ErrNotFound when there is none.
func (b *Backend) alias(ctx context.Context, a *account, function string) (*lambda.GetAliasOutput, error) {
	alias, err := a.lambda.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &function, Name: aws.String(liveAlias)})
	return alias, awserr.Wrap("read what serves function "+function, err)
}

// nameVersion lets a version of a function serve of which none does.
func (b *Backend) nameVersion(ctx context.Context, a *account, name backend.Name, function, version string) error {
	_, err := a.lambda.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: &function, Name: aws.String(liveAlias), FunctionVersion: &version})
	if err == nil {
		return nil
	}
	if repeated[awserr.Code(err)] { // the first attempt may have been done
		if alias, lookErr := b.alias(ctx, a, function); lookErr == nil && aws.ToString(alias.FunctionVersion) == version {
			return nil
		}
	}
	return awserr.Wrap("let version "+version+" of function "+name.String()+" serve", err)
}

// point lets a version serve. When somebody else moved the alias since it was
// read it is a conflict.
func (b *Backend) point(ctx context.Context, a *account, name backend.Name, function string, alias *lambda.GetAliasOutput, version string) error {
	_, err := a.lambda.UpdateAlias(ctx, &lambda.UpdateAliasInput{
		FunctionName: &function, Name: aws.String(liveAlias), FunctionVersion: &version, RevisionId: alias.RevisionId,
		// Weights that somebody gave to other versions are not for this one.
		RoutingConfig: &lambdatypes.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}},
	})
	if err == nil {
		return nil
	}
	if repeated[awserr.Code(err)] { // the first attempt may have been done
		if now, lookErr := b.alias(ctx, a, function); lookErr == nil && aws.ToString(now.FunctionVersion) == version {
			return nil
		}
	}
	return awserr.Wrap("let version "+version+" of function "+name.String()+" serve", err)
}

// errNotReady is the kind of a function that Lambda could not make ready.
var errNotReady = errors.New("function did not become ready")

// ready waits until a version can be invoked and no update of it is under way,
// and returns it. A new function is Pending, one that is updated InProgress
// (docs.aws.amazon.com/lambda, "Lambda function states").
func (b *Backend) ready(ctx context.Context, a *account, function, qualifier string) (*lambda.GetFunctionOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, b.opts.DeployTimeout)
	defer cancel()
	doing := "wait for function " + function
	for wait := 10 * time.Millisecond; ; wait = min(wait*3/2, time.Second) {
		out, err := a.read(ctx, function, qualifier)
		if err != nil {
			return nil, awserr.Wrap(doing, err)
		}
		c := out.Configuration
		switch {
		case c.State == lambdatypes.StateFailed:
			return nil, backend.Errorf(errNotReady, "%s: %s (%s)", doing, aws.ToString(c.StateReason), c.StateReasonCode)
		case c.LastUpdateStatus == lambdatypes.LastUpdateStatusFailed:
			return nil, backend.Errorf(errNotReady, "%s: %s (%s)", doing, aws.ToString(c.LastUpdateStatusReason), c.LastUpdateStatusReasonCode)
		case c.State != lambdatypes.StatePending && c.LastUpdateStatus != lambdatypes.LastUpdateStatusInProgress:
			return out, nil
		}
		if err := clock.Pause(ctx, wait); err != nil {
			return nil, awserr.Wrap(doing, err)
		}
	}
}
