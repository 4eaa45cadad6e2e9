package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
)

// Deployment is one that is kept of a function.
type Deployment struct {
	ID      string // 16 hexadecimal digits
	Image   string
	At      time.Time
	Serving bool
}

// Deployments returns the deployments of a function that can serve again, the
// latest first; ErrNotFound when there is no such function.
func (b *Backend) Deployments(ctx context.Context, name backend.Name) ([]Deployment, error) {
	f, err := b.get(ctx, name)
	if err != nil {
		return nil, err
	}
	if f.adopted {
		return nil, foreign("list deployments of function "+name.String(), f)
	}
	if f.damaged != nil {
		return nil, f.damaged
	}
	out := make([]Deployment, len(f.doc.Records))
	for i, r := range f.doc.Records {
		out[i] = Deployment{ID: r.Digest, Image: r.Deployed.Image, At: r.At, Serving: r.Digest == f.doc.Current || f.doc.first}
	}
	return out, nil
}

// Rollback lets an earlier deployment of a function serve again: one by its ID,
// or the one before that which serves when id is empty. Its version is still
// there: nothing is packaged, and no instance is started that was not running.
func (b *Backend) Rollback(ctx context.Context, name backend.Name, id string) error {
	if id == "" {
		id = annotations.Previous
	}
	if !annotations.IsRollback(id) {
		return backend.Errorf(backend.ErrInvalid, "roll back function %s: %q is no id of a deployment", name, id)
	}
	release, err := b.busy.take(name)
	if err != nil {
		return err
	}
	defer release()
	f, err := b.claimable(ctx, "roll back function "+name.String(), name)
	if err != nil {
		return err
	}
	return b.rollBack(ctx, f, id)
}

func (b *Backend) rollBack(ctx context.Context, f *found, id string) error {
	doing := "roll back function " + f.name.String()
	if f.damaged != nil {
		return fmt.Errorf("%s: %w", doing, f.damaged)
	}
	r, err := f.doc.earlier(id)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if r.Digest == f.doc.Current {
		return nil
	}
	versions, err := b.versions(ctx, f.account, f.function())
	if err != nil {
		return err
	}
	version, ok := versions.deployment(r.Digest)
	if !ok {
		return backend.Errorf(backend.ErrInvalid, "%s: the version of deployment %s is not there any more", doing, r.Digest)
	}
	x, err := annotations.Read(r.Deployed)
	if err != nil {
		return err
	}
	before, err := f.doc.current()
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	p := plan{deployment: r.Deployed, account: f.account, name: f.name, function: f.function(), Settings: x}
	c := &change{
		b: b, account: f.account, plan: p, current: f, digest: r.Digest, mark: markOf(version), latest: r, before: &before,
		doc: f.doc, replicas: backend.MinReplicas(r.Deployed), tags: f.tags, arn: f.arn(), version: *version.Version,
	}
	defer b.cache.forget(f.name)
	return c.run(ctx, func(ctx context.Context) error {
		return c.configure(ctx, resetting(configurationOf(version), f.config))
	}, c.record, c.attach, c.serve, c.finish)
}

// earlier returns the deployment to go back to.
func (d document) earlier(id string) (record, error) {
	if id != annotations.Previous {
		r, err := d.record(id)
		if errors.Is(err, errRecord) {
			err = backend.Errorf(backend.ErrInvalid, "no deployment %s is kept", id)
		}
		return r, err
	}
	serving := slices.IndexFunc(d.Records, func(r record) bool { return r.Digest == d.Current })
	if serving < 0 || serving+1 == len(d.Records) {
		return record{}, backend.Errorf(backend.ErrInvalid, "no earlier deployment is kept")
	}
	return d.Records[serving+1], nil
}
