package aws

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// undoTime is how long a change that failed may take to be undone, after the
// request that wanted it may be gone.
const undoTime = time.Minute

// Deploy implements backend.Deployer.
func (b *Backend) Deploy(ctx context.Context, d types.FunctionDeployment) error {
	return b.put(ctx, d, true)
}

// Update implements backend.Deployer.
func (b *Backend) Update(ctx context.Context, d types.FunctionDeployment) error {
	return b.put(ctx, d, false)
}

// put brings a function to what d says: everything is checked before anything
// is packaged, and packaged before anything in AWS is touched. When it returns
// nil, the function is ready.
func (b *Backend) put(ctx context.Context, d types.FunctionDeployment, create bool) error {
	p, err := b.plan(d)
	if err != nil {
		return err
	}
	release, err := b.busy.take(p.name)
	if err != nil {
		return err
	}
	defer release()
	current, err := b.get(ctx, p.name)
	missing := errors.Is(err, backend.ErrNotFound)
	if err != nil && !(missing && create) {
		return err
	}
	pkg, err := b.pack(ctx, p)
	if err != nil {
		return err
	}
	if p.timeout, err = timeout(d.EnvVars, pkg.Env, b.opts.Timeout); err != nil {
		return err
	}
	defer b.cache.forget(p.name)
	if missing {
		return b.create(ctx, p, pkg)
	}
	return b.update(ctx, p, pkg, current)
}

// packTime is how long an image may take to come from its registry and be
// packaged: a registry that stalls must not keep a function from being deployed
// for ever.
const packTime = 15 * time.Minute

// pack makes the package of a deployment.
func (b *Backend) pack(ctx context.Context, p plan) (Package, error) {
	d := p.deployment
	ctx, cancel := context.WithTimeout(ctx, packTime)
	defer cancel()
	return b.opts.Packager.Package(ctx, PackageSpec{
		Image: d.Image, Arch: p.arch, Process: d.EnvProcess, Env: processVariables(d.EnvVars), KeepAll: p.keepAll,
	})
}

// processVariables are those of a deployment's variables that decide which
// program is started, NAME=value in a fixed order.
func processVariables(vars map[string]string) []string {
	var env []string
	for _, name := range []string{"fprocess", "function_process", "mode"} {
		if value, ok := vars[name]; ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// create makes a function that does not exist. One that does not become ready
// is removed again.
func (b *Backend) create(ctx context.Context, p plan, pkg Package) error {
	doing := "create function " + p.name.String()
	code, err := pkg.zip()
	if err != nil {
		return err
	}
	tags, err := encodeRecord(newRecord(p.deployment, time.Now()))
	if err != nil {
		return err
	}
	_, err = b.home.lambda.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName:  &p.function,
		Role:          &p.role,
		Runtime:       lambdatypes.RuntimeProvidedal2023,
		Handler:       aws.String("bootstrap"),
		PackageType:   lambdatypes.PackageTypeZip,
		Architectures: architectures(p.arch),
		Code:          &lambdatypes.FunctionCode{ZipFile: code},
		MemorySize:    aws.Int32(int32(p.memory)),
		Timeout:       aws.Int32(int32(p.timeout.Seconds())),
		Environment:   &lambdatypes.Environment{Variables: p.env},
		Tags:          tags,
	})
	if err = awsError(doing, err); errors.Is(err, backend.ErrConflict) {
		// Not one when it was made by an earlier attempt of the SDK whose
		// answer was lost.
		if made, _ := b.made(ctx, p, tags); made {
			err = nil
		}
	}
	if err == nil {
		err = b.ready(ctx, p.function)
	}
	if err == nil {
		return nil
	}
	if undo := b.undoCreate(ctx, p, tags); undo != nil {
		return fmt.Errorf("%w; and it could not be removed again: %w", err, undo)
	}
	return err
}

// made tells whether there is a function with exactly the tags that create gave
// to the one it made.
func (b *Backend) made(ctx context.Context, p plan, tags map[string]string) (bool, error) {
	current, err := b.get(ctx, p.name)
	if errors.Is(err, backend.ErrNotFound) || errors.Is(err, backend.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	stale, wanted := difference(current.tags, tags)
	return len(stale)+len(wanted) == 0, nil
}

// undoCreate removes what create may have made.
func (b *Backend) undoCreate(ctx context.Context, p plan, tags map[string]string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if made, err := b.made(ctx, p, tags); err != nil || !made {
		return err
	}
	_, err := b.home.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &p.function})
	return awsError("delete function "+p.name.String(), err)
}

// update changes a function that exists: its configuration, then its code, then
// its record, each only when it differs. When a step fails the configuration
// that was there before is put back.
//
// The configuration goes first because it can be put back without the old code,
// of which AWS keeps the only copy.
func (b *Backend) update(ctx context.Context, p plan, pkg Package, current *found) error {
	doing := "update function " + p.name.String()
	if current.config.LastUpdateStatus == lambdatypes.LastUpdateStatusInProgress || current.config.State == lambdatypes.StatePending {
		return backend.Errorf(backend.ErrConflict, "%s: another change is in progress", doing)
	}
	old, wanted := current.settings(), p.settings()
	configured, err := b.configure(ctx, p.name, p.function, old, wanted)
	if err == nil {
		err = b.upload(ctx, p, pkg, current)
	}
	if err == nil {
		return b.tag(ctx, p, current)
	}
	if configured {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
		if _, undoErr := b.configure(undo, p.name, p.function, wanted, old); undoErr != nil {
			return fmt.Errorf("%w; and its configuration could not be put back: %w", err, undoErr)
		}
	}
	return err
}

// configure changes a function's settings when they differ, and waits. It tells
// whether they may have been changed, also when it fails.
func (b *Backend) configure(ctx context.Context, name backend.Name, function string, from, to settings) (bool, error) {
	if from.equal(to) {
		return false, nil
	}
	_, err := b.home.lambda.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &function,
		Role:         &to.role,
		MemorySize:   &to.memory,
		Timeout:      &to.timeout,
		Environment:  &lambdatypes.Environment{Variables: to.env},
	})
	if err != nil {
		err = awsError("configure function "+name.String(), err)
		refused := errors.Is(err, backend.ErrConflict) || errors.Is(err, backend.ErrInvalid) || errors.Is(err, backend.ErrNotFound)
		return !refused, err
	}
	return true, b.ready(ctx, function)
}

// upload changes a function's code when it differs, and waits.
func (b *Backend) upload(ctx context.Context, p plan, pkg Package, current *found) error {
	if aws.ToString(current.config.CodeSha256) == pkg.Summary.SHA256 && sameArchitecture(current.config.Architectures, p.arch) {
		return nil
	}
	code, err := pkg.zip()
	if err != nil {
		return err
	}
	_, err = b.home.lambda.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{
		FunctionName: &p.function, ZipFile: code, Architectures: architectures(p.arch),
	})
	if err != nil {
		return awsError("update code of function "+p.name.String(), err)
	}
	return b.ready(ctx, p.function)
}

// tag brings a function's record to what was deployed now. It keeps when the
// function was first deployed, and tags that are not ours.
func (b *Backend) tag(ctx context.Context, p plan, current *found) error {
	created := time.Now()
	if old, err := decodeRecord(current.tags); err == nil {
		created = old.Created
	}
	tags, err := encodeRecord(newRecord(p.deployment, created))
	if err != nil {
		return err
	}
	return b.retag(ctx, p.name, aws.ToString(current.config.FunctionArn), current.tags, tags)
}

// Delete implements backend.Deployer.
func (b *Backend) Delete(ctx context.Context, name backend.Name) error {
	release, err := b.busy.take(name)
	if err != nil {
		return err
	}
	defer release()
	current, err := b.get(ctx, name)
	if err != nil {
		return err
	}
	defer b.cache.forget(name)
	if _, err = b.home.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: current.config.FunctionName}); err != nil {
		return awsError("delete function "+name.String(), err)
	}
	b.observe.forget(name)
	return nil
}
