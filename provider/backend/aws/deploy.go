package aws

import (
	"cmp"
	"context"
	"errors"
	"time"

	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
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

// put brings a function to what d says. Everything is checked before anything is
// packaged, and packaged before anything in AWS is touched. The new version is
// made beside the one that serves, and takes its place in one step when all of
// it is ready. When put returns nil, the function is ready.
func (b *Backend) put(ctx context.Context, d types.FunctionDeployment, create bool) error {
	p, err := b.plan(ctx, d)
	if err != nil {
		return err
	}
	release, err := b.busy.take(p.name)
	if err != nil {
		return err
	}
	defer release()
	current, err := b.claimable(ctx, "deploy function "+p.name.String(), p.name)
	missing := errors.Is(err, backend.ErrNotFound)
	if err != nil && !(missing && create) {
		return err
	}
	if p.Rollback != "" && missing {
		return backend.Errorf(backend.ErrInvalid, "annotation %srollback: function %s does not exist", annotations.Prefix, p.name)
	}
	if p.Rollback != "" {
		return annotations.Blame(d, b.rollBack(ctx, current, p.Rollback))
	}
	code, err := b.prepare(ctx, &p, current)
	if err != nil {
		return err
	}
	return annotations.Blame(d, b.bring(ctx, p, code, current))
}

// bring makes the function of a plan, or a new version of the current one.
func (b *Backend) bring(ctx context.Context, p plan, code code, current *found) error {
	c, err := b.newChange(p, code, current)
	if err != nil {
		return err
	}
	if current != nil && current.doc.Current == c.digest && current.state() == settled {
		serves, err := c.serves(ctx)
		if err != nil {
			return err
		}
		if serves { // triggers need the rights of the role
			if err := b.keepRole(ctx, current, current.doc); err != nil {
				return err
			}
			return c.mend(ctx)
		}
	}
	defer b.cache.forget(p.name)
	if current == nil {
		return c.run(ctx, c.create, c.publish, c.name, c.attach, c.finish)
	}
	return c.run(ctx, c.stage, c.record, c.upload, c.publish, c.start, c.attach, c.serve, c.finish)
}

// packTime is how long an image may take to come from its registry and be
// packaged: a registry that stalls must not keep a function from being deployed
// for ever.
const packTime = 15 * time.Minute

// prepare makes the package of a deployment and brings it to AWS. What only the
// image can tell goes into the plan. current is nil for a new function.
func (b *Backend) prepare(ctx context.Context, p *plan, current *found) (code, error) {
	d := p.deployment
	packing, cancel := context.WithTimeout(ctx, packTime)
	defer cancel()
	spec := packaging.Spec{
		Image: d.Image, Arch: p.arch, Process: d.EnvProcess, Env: processVariables(d.EnvVars), KeepAll: p.KeepAll,
		Type: cmp.Or(p.PackageType, packaging.Auto),
	}
	if spec.Type == packaging.Layers {
		spec.OwnLayers = len(p.Layers)
	}
	if spec.Type == packaging.Auto && current != nil && current.config.PackageType == lambdatypes.PackageTypeImage {
		spec.Type, p.reason = packaging.Image, "the function is a container image already, and Lambda changes no function's type"
	}
	pkg, err := b.opts.Packager.Package(packing, spec)
	if err != nil {
		return code{}, err
	}
	if p.reason = cmp.Or(p.reason, pkg.Reason); p.reason != "" {
		b.log.InfoContext(ctx, "type of package was chosen", "function", p.name.String(), "type", pkg.Type, "reason", p.reason)
	}
	p.packed = pkg.Type
	if err := p.takeRuntime(pkg); err != nil {
		return code{}, err
	}
	if p.timeout, err = timeout(d.EnvVars, pkg.Env, b.opts.Timeout); err != nil {
		return code{}, err
	}
	return b.ship(ctx, *p, spec, pkg)
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
