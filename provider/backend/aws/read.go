package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"
	"golang.org/x/sync/errgroup"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// readers is how many ListTags are under way at a time: AWS allows 15 control
// plane requests a second in all.
const readers = 8

// found is a function of ours as AWS has it.
type found struct {
	account *account
	name    backend.Name
	config  lambdatypes.FunctionConfiguration
	tags    map[string]string
	adopted bool // made by somebody else, and served as it is
}

// function is its name in Lambda.
func (f *found) function() string { return aws.ToString(f.config.FunctionName) }

// get returns one function from AWS; ErrNotFound when there is none. A function
// of that name that somebody else made is an ErrConflict: it is never touched.
func (b *Backend) get(ctx context.Context, name backend.Name) (*found, error) {
	function, err := lambdaName(name)
	if err != nil || name.Namespace != b.opts.Namespace {
		return nil, backend.NotFound(name) // such a function cannot exist
	}
	out, err := b.home.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &function})
	var missing *lambdatypes.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return nil, backend.NotFound(name)
	case err != nil:
		return nil, awsError("read function "+name.String(), err)
	case out.TagsError != nil:
		return nil, fmt.Errorf("read tags of function %s: %s (%s)", name, aws.ToString(out.TagsError.Message), aws.ToString(out.TagsError.ErrorCode))
	case out.Configuration == nil:
		return nil, fmt.Errorf("read function %s: AWS answered without its configuration", name)
	case !ours(out.Tags):
		return nil, backend.Errorf(backend.ErrConflict, "Lambda function %s was not made by faas-lambda: it is left alone", function)
	}
	return &found{account: b.home, name: name, config: *out.Configuration, tags: out.Tags}, nil
}

// Status implements backend.Reader.
func (b *Backend) Status(ctx context.Context, name backend.Name) (types.FunctionStatus, error) {
	if status, ok := b.cache.status(name); ok {
		return status, nil
	}
	turn := b.cache.turn()
	f, err := b.find(ctx, name)
	if err != nil {
		return types.FunctionStatus{}, err
	}
	status, err := f.status()
	if err != nil {
		return types.FunctionStatus{}, fmt.Errorf("read function %s: %w", name, err)
	}
	b.cache.keepStatus(turn, name, status)
	return status, nil
}

// find is get for those who only read: a function that somebody else made is
// not there. It remembers where the function is invoked.
func (b *Backend) find(ctx context.Context, name backend.Name) (*found, error) {
	turn := b.cache.turn()
	f, err := b.get(ctx, name)
	if errors.Is(err, backend.ErrConflict) {
		err = backend.NotFound(name)
	}
	if err != nil {
		return nil, err
	}
	b.cache.keepTarget(turn, name, f.target())
	return f, nil
}

// List implements backend.Reader.
func (b *Backend) List(ctx context.Context, namespace string) ([]types.FunctionStatus, error) {
	if namespace != b.opts.Namespace {
		return nil, nil
	}
	if list, ok := b.cache.list(); ok {
		return list, nil
	}
	turn := b.cache.turn()
	var configs []lambdatypes.FunctionConfiguration
	pages := lambda.NewListFunctionsPaginator(b.home.lambda, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awsError("list functions", err)
		}
		configs = append(configs, page.Functions...)
	}
	functions, err := b.withTags(ctx, configs)
	if err != nil {
		return nil, err
	}
	list := b.statuses(functions)
	b.cache.keepList(turn, list)
	return list, nil
}

// withTags reads the tags of functions, which ListFunctions does not tell.
func (b *Backend) withTags(ctx context.Context, configs []lambdatypes.FunctionConfiguration) ([]found, error) {
	functions := make([]found, len(configs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, config := range configs {
		functions[i].config = config
		group.Go(func() error {
			out, err := b.home.lambda.ListTags(ctx, &lambda.ListTagsInput{Resource: config.FunctionArn})
			var missing *lambdatypes.ResourceNotFoundException
			if errors.As(err, &missing) {
				return nil // deleted meanwhile, so without tags and not ours
			}
			if err != nil {
				return awsError("read tags of function "+aws.ToString(config.FunctionName), err)
			}
			functions[i].tags = out.Tags
			return nil
		})
	}
	return functions, group.Wait()
}

// statuses returns those functions that are ours, ordered by name. One whose
// record cannot be read is listed with what else is known of it.
func (b *Backend) statuses(functions []found) []types.FunctionStatus {
	var out []types.FunctionStatus
	for _, f := range functions {
		if !ours(f.tags) {
			continue
		}
		status, err := f.status()
		if err != nil {
			b.log.Error("read function", "function", aws.ToString(f.config.FunctionName), "error", err)
			status = backend.StatusOf(types.FunctionDeployment{Service: f.tags[tagService], Namespace: f.tags[tagNamespace]})
		}
		out = append(out, status)
	}
	slices.SortFunc(out, func(a, b types.FunctionStatus) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// status returns what was deployed, and whether it can be invoked.
func (f *found) status() (types.FunctionStatus, error) {
	r, err := decodeRecord(f.tags)
	if err != nil {
		return types.FunctionStatus{}, err
	}
	d := r.Deployed
	d.EnvVars, d.EnvProcess = deployed(f.settings().env)
	status := backend.StatusOf(d)
	status.CreatedAt, status.Replicas = r.Created, r.Replicas
	// ListFunctions leaves the state out; a function that is listed there
	// can be invoked unless it says otherwise.
	if s := f.config.State; s != lambdatypes.StatePending && s != lambdatypes.StateFailed {
		status.AvailableReplicas = r.Replicas
	}
	return status, nil
}

// Scale implements backend.Scaler. Lambda scales by itself: the number is kept
// in the function's record.
func (b *Backend) Scale(ctx context.Context, name backend.Name, replicas uint64) error {
	release, err := b.busy.take(name)
	if err != nil {
		return err
	}
	defer release()
	current, err := b.get(ctx, name)
	if err != nil {
		return err
	}
	r, err := decodeRecord(current.tags)
	if err != nil {
		return fmt.Errorf("scale function %s: %w", name, err)
	}
	if r.Replicas == replicas {
		return nil
	}
	r.Replicas = replicas
	tags, err := encodeRecord(r)
	if err != nil {
		return err
	}
	defer b.cache.forget(name)
	return b.retag(ctx, name, aws.ToString(current.config.FunctionArn), current.tags, tags)
}
