package aws

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// Any provider may end in the middle of a change. What it left says by itself
// how to go on, whoever comes next:
//
//	what is there                             what becomes of it
//	no version serves yet                     it is removed
//	the version before serves                 the new one is removed
//	the new version serves                    what is missing is done
//	it is marked as deleted                   it is deleted
//	its concurrency is not as recorded        it is set
//
// All of these can be done twice, and by two at once.

// claimable returns a function that can be changed: ErrNotFound when there is
// none, ErrConflict when a change of it is in progress or it is somebody else's.
func (b *Backend) claimable(ctx context.Context, doing string, name backend.Name) (*found, error) {
	f, err := b.get(ctx, name)
	if err != nil {
		return nil, err
	}
	if f.adopted {
		return nil, foreign(doing, f)
	}
	s := f.state()
	if (s == creating || s == replacing || s == removing || f.changing()) && !b.abandoned(f) {
		return nil, backend.Errorf(backend.ErrConflict, "%s: another change is in progress", doing)
	}
	if s == settled {
		return f, nil
	}
	defer b.cache.forget(name)
	err = b.settle(ctx, f)
	if errors.Is(err, errRecord) {
		b.log.Error("there is no way back for what another change left: it is replaced", "function", name.String(), "error", err)
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: finish the change before: %w", doing, err)
	}
	return b.get(ctx, name)
}

// tidy settles a function that a list found unfinished. What fails is tried
// again with the next list.
func (b *Backend) tidy(ctx context.Context, name backend.Name) {
	release, err := b.busy.take(name)
	if err != nil {
		return // it is being changed here
	}
	defer release()
	defer b.cache.forget(name)
	f, err := b.get(ctx, name)
	if err == nil {
		err = b.settle(ctx, f)
	}
	switch {
	case errors.Is(err, backend.ErrNotFound):
	case err != nil:
		b.log.Error("finish interrupted change", "function", name.String(), "error", err)
	default:
		b.log.Info("finished interrupted change", "function", name.String())
	}
}

// settle brings a function to rest.
func (b *Backend) settle(ctx context.Context, f *found) error {
	switch f.state() {
	case creating, replacing:
		return b.settleDeployment(ctx, f)
	case removing:
		return b.remove(ctx, f)
	case scaling:
		return b.complete(ctx, f, f.doc.Current)
	case unpublished:
		return b.publishFirst(ctx, f)
	case settled:
	}
	return nil
}

func (b *Backend) settleDeployment(ctx context.Context, f *found) error {
	alias, err := b.alias(ctx, f.account, f.function())
	if errors.Is(err, backend.ErrNotFound) {
		return b.revert(ctx, f)
	}
	if err != nil {
		return err
	}
	out, err := f.account.read(ctx, f.function(), aws.ToString(alias.FunctionVersion))
	if err != nil {
		return awserr.Wrap("read version "+aws.ToString(alias.FunctionVersion)+" of function "+f.name.String(), err)
	}
	digest := markOf(*out.Configuration).digest
	if _, err := f.doc.record(digest); err != nil || digest == f.doc.Current {
		return b.revert(ctx, f)
	}
	if err := b.complete(ctx, f, digest); !errors.Is(err, backend.ErrInvalid) {
		return err
	}
	return b.revert(ctx, f) // it can never be completed
}

// complete does what is left of a change whose deployment serves already.
func (b *Backend) complete(ctx context.Context, f *found, digest string) error {
	r, err := f.doc.record(digest)
	if err != nil {
		return err
	}
	replicas := f.replicas(r)
	if f.doc.Current != digest {
		replicas = backend.MinReplicas(r.Deployed)
	}
	return b.rest(ctx, f, r, replicas, f.doc.serving(digest, ""))
}

// revert undoes a deployment that does not serve, or shall not.
func (b *Backend) revert(ctx context.Context, f *found) error {
	if f.doc.Current == "" {
		return b.remove(ctx, f)
	}
	r, err := f.doc.record(f.doc.Current)
	if err != nil {
		return err
	}
	versions, err := b.versions(ctx, f.account, f.function())
	if err != nil {
		return err
	}
	serving, ok := versions.deployment(f.doc.Current)
	if !ok {
		return fmt.Errorf("%w: no version is of deployment %s", errRecord, f.doc.Current)
	}
	alias, err := b.alias(ctx, f.account, f.function())
	switch {
	case errors.Is(err, backend.ErrNotFound): // somebody removed it
		err = b.nameVersion(ctx, f.account, f.name, f.function(), aws.ToString(serving.Version))
	case err == nil && aws.ToString(alias.FunctionVersion) != aws.ToString(serving.Version):
		err = b.point(ctx, f.account, f.name, f.function(), alias, aws.ToString(serving.Version))
	}
	if err != nil {
		return err
	}
	return b.rest(ctx, f, r, f.replicas(r), f.doc.serving(f.doc.Current, markOf(f.config).digest))
}

// rest brings everything about a function to what its record r says: what
// belongs to it, its versions, the configuration of $LATEST, its tags.
func (b *Backend) rest(ctx context.Context, f *found, r record, replicas uint64, doc document) error {
	want, err := belongingsOf(r.Deployed, f.function(), replicas)
	if err != nil {
		return err
	}
	at := attachment{account: f.account, name: f.name, function: f.function(), arn: f.arn(), want: want, had: f.belongings()}
	switch f.state() { // it is not known how far it went
	case creating:
		at.had = append(at.had, nothing)
	case scaling:
		much := want
		much.provisioned, much.reserved = math.MaxInt32, math.MaxInt32
		at.had = append(at.had, much)
	}
	for _, at.late = range []bool{false, true} {
		err := b.attach(ctx, at)
		if back := digestOf(f) != doc.Current; back && errors.Is(err, backend.ErrInvalid) {
			b.log.Error("bring back what belonged to a function", "function", f.name.String(), "error", err)
			err = nil // it was possible once, and nobody asks for it now
		}
		if err != nil {
			return err
		}
	}
	if err := b.prune(ctx, f.account, f.function(), doc); err != nil {
		return err
	}
	if err := b.restore(ctx, f, doc.Current); err != nil {
		return err
	}
	if err := b.keepRole(ctx, f, doc); err != nil {
		return err
	}
	// The tags go last: they say that it is done.
	more := map[string]string{tagPending: "", tagReplicas: strconv.FormatUint(replicas, 10)}
	var stale []string
	for _, old := range f.doc.Records {
		stale = append(stale, userTags(old.Deployed)...)
	}
	x, err := annotations.Read(r.Deployed)
	if err != nil {
		return err
	}
	for key, value := range x.Tags {
		more[key] = value
	}
	_, tags, err := b.writeTags(ctx, f.account, f.tagged(), doc, more, stale)
	if err != nil {
		return err
	}
	return f.account.sweepRecords(ctx, f.function(), tags)
}

func digestOf(f *found) string { return markOf(f.config).digest }
