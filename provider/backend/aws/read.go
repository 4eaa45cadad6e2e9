package aws

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
)

// found is a function as AWS has it: one of ours, or one that is adopted.
type found struct {
	account *account
	name    backend.Name
	config  lambdatypes.FunctionConfiguration  // of $LATEST
	serving *lambdatypes.FunctionConfiguration // of what serves, where that is known to be another one
	tags    map[string]string
	doc     document
	damaged error     // why doc cannot be read
	adopted bool      // made by somebody else, and served as it is
	image   string    // of one that is adopted
	at      time.Time // when AWS said so, by its clock
}

// function is its name in Lambda.
func (f *found) function() string { return aws.ToString(f.config.FunctionName) }

func (f *found) arn() string { return aws.ToString(f.config.FunctionArn) }

// get returns one function from AWS; ErrNotFound when there is none. A function
// of that name that somebody else made, and that is not adopted, is an
// ErrConflict: it is never touched.
func (b *Backend) get(ctx context.Context, name backend.Name) (*found, error) {
	a, err := b.accountOf(ctx, name.Namespace)
	if err != nil {
		return nil, err
	}
	function, err := b.lambdaName(name)
	if err != nil {
		return nil, backend.NotFound(name) // such a function cannot exist
	}
	out, err := a.read(ctx, function, "")
	var missing *lambdatypes.ResourceNotFoundException
	if errors.As(err, &missing) {
		return nil, backend.NotFound(name)
	}
	if err != nil {
		return nil, awserr.Wrap("read function "+name.String(), err)
	}
	return b.found(ctx, a, name, out)
}

// read is GetFunction, which has a limit of its own of 100 requests a second;
// most other calls share one of 15 (docs.aws.amazon.com/lambda, "Lambda quotas").
func (a *account) read(ctx context.Context, function, qualifier string) (*lambda.GetFunctionOutput, error) {
	in := &lambda.GetFunctionInput{FunctionName: &function}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	out, err := a.lambda.GetFunction(ctx, in)
	if err == nil && out.Configuration == nil {
		err = errors.New("AWS answered without its configuration")
	}
	return out, err
}

func (b *Backend) found(ctx context.Context, a *account, name backend.Name, out *lambda.GetFunctionOutput) (*found, error) {
	if out.TagsError != nil {
		return nil, fmt.Errorf("read tags of function %s: %s (%s)", name, aws.ToString(out.TagsError.Message), aws.ToString(out.TagsError.ErrorCode))
	}
	f := &found{account: a, name: name, config: *out.Configuration, tags: out.Tags, at: clock.At(out.ResultMetadata)}
	if out.Code != nil {
		f.image = aws.ToString(out.Code.ImageUri)
	}
	if err := b.identify(ctx, f); err != nil {
		return nil, err
	}
	return f, nil
}

// identify finds out whose function it is, and reads its record.
func (b *Backend) identify(ctx context.Context, f *found) error {
	if !ours(f.tags) {
		f.adopted = f.name.Namespace == b.opts.Namespace && b.adopts(f.function(), f.tags)
		if !f.adopted {
			return backend.Errorf(backend.ErrConflict, "Lambda function %s was not made by faas-lambda: it is left alone", f.function())
		}
		return nil
	}
	if is := (backend.Name{Namespace: f.tags[tagNamespace], Function: f.tags[tagService]}); is != f.name {
		return backend.Errorf(backend.ErrConflict, "Lambda function %s is function %s", f.function(), is)
	}
	f.doc, f.damaged = f.account.readDocument(ctx, f.function(), f.tags)
	if errors.Is(f.damaged, errRecord) || f.damaged == nil {
		return nil
	}
	return f.damaged
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
	if f.state() == removing {
		return types.FunctionStatus{}, backend.NotFound(name)
	}
	if err := b.resolve(ctx, f); err != nil {
		return types.FunctionStatus{}, err
	}
	status, err := f.status()
	if err != nil {
		return types.FunctionStatus{}, fmt.Errorf("read function %s: %w", name, err)
	}
	measured := []types.FunctionStatus{status}
	b.measure(ctx, f.account, measured)
	b.cache.keepStatus(turn, name, measured[0])
	return measured[0], nil
}

// find is get for those who only read: a function that somebody else made is
// not there. It remembers where the function is invoked.
func (b *Backend) find(ctx context.Context, name backend.Name) (*found, error) {
	turn := b.cache.turn()
	f, err := b.get(ctx, name)
	if errors.Is(err, backend.ErrConflict) {
		err = backend.NotFound(name)
	}
	if errors.Is(err, backend.ErrNotFound) {
		b.cache.dropTarget(name)
	}
	if err != nil {
		return nil, err
	}
	b.cache.keepTarget(turn, name, f.target())
	return f, nil
}

// resolve reads what serves where $LATEST is something else, as it is during a
// deployment. It costs nothing at other times.
func (b *Backend) resolve(ctx context.Context, f *found) error {
	if f.state() != replacing {
		return nil
	}
	out, err := f.account.read(ctx, f.function(), liveAlias)
	if err != nil {
		return awserr.Wrap("read what serves function "+f.name.String(), err)
	}
	f.serving = out.Configuration
	if digest := markOf(*out.Configuration).digest; digest != "" {
		if _, err := f.doc.record(digest); err == nil {
			f.doc.Current = digest // the change went so far that this serves
		}
	}
	return nil
}

// status returns what was deployed, and whether it can be invoked.
func (f *found) status() (types.FunctionStatus, error) {
	if f.adopted {
		return f.foreignStatus(), nil
	}
	r, err := f.doc.current()
	if f.damaged != nil {
		err = f.damaged
	}
	if err != nil {
		return types.FunctionStatus{}, err
	}
	config := f.config
	if f.serving != nil {
		config = *f.serving
	}
	d := r.described()
	d.Service, d.Namespace = f.name.Function, f.name.Namespace
	d.EnvVars, d.EnvProcess = deployed(variables(config), d.Secrets)
	for _, name := range r.Added {
		delete(d.EnvVars, name)
	}
	if len(d.EnvVars) == 0 {
		d.EnvVars = nil
	}
	status := backend.StatusOf(d)
	status.CreatedAt, status.Replicas = f.doc.Created, f.replicas(r)
	// ListFunctions leaves the state out; a function that is listed there
	// can be invoked unless it says otherwise.
	if s := config.State; s != lambdatypes.StatePending && s != lambdatypes.StateFailed && f.state() != creating {
		status.AvailableReplicas = status.Replicas
	}
	return status, nil
}

// described returns the deployment as it is shown: with the provider's choice of
// a package, where there was one.
func (r record) described() types.FunctionDeployment {
	if r.Reason == "" {
		return r.Deployed
	}
	return annotations.Tell(r.Deployed, r.Package, r.Reason)
}

func variables(config lambdatypes.FunctionConfiguration) map[string]string {
	if config.Environment == nil {
		return nil
	}
	return config.Environment.Variables
}

// replicas is how many there are by what was asked for last.
func (f *found) replicas(r record) uint64 {
	if n, err := strconv.ParseUint(f.tags[tagReplicas], 10, 32); err == nil {
		return n
	}
	if f.doc.first {
		return f.doc.Replicas
	}
	return backend.MinReplicas(r.Deployed)
}
