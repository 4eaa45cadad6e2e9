package aws

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// Delete implements backend.Deployer. The function is claimed first: from then
// on it is not listed any more, and if this process ends before all is gone, the
// rest goes with the next deletion, deployment or list.
func (b *Backend) Delete(ctx context.Context, name backend.Name) error {
	release, err := b.busy.take(name)
	if err != nil {
		return err
	}
	defer release()
	doing := "delete function " + name.String()
	f, err := b.get(ctx, name)
	if err != nil {
		return err
	}
	if f.adopted {
		return foreign(doing, f)
	}
	if s := f.state(); (s == creating || s == replacing || f.changing()) && !b.abandoned(f) {
		return backend.Errorf(backend.ErrConflict, "%s: another change is in progress", doing)
	}
	defer b.cache.forget(name)
	in := &lambda.UpdateFunctionConfigurationInput{
		FunctionName: f.config.FunctionName, RevisionId: f.config.RevisionId,
		Description: mark{deleting, newToken()}.description(""),
	}
	_, err = f.account.lambda.UpdateFunctionConfiguration(ctx, in)
	if err != nil && repeated[awserr.Code(err)] {
		if out, lookErr := f.account.read(ctx, f.function(), ""); lookErr == nil && *in.Description == aws.ToString(out.Configuration.Description) {
			err = nil // the answer to the first attempt was lost
		}
	}
	// What Lambda cannot configure any more can still be deleted.
	if err = awserr.Wrap(doing, err); err != nil && !errors.Is(err, backend.ErrInvalid) {
		return err
	}
	if err == nil {
		if _, err = b.ready(ctx, f.account, f.function(), ""); err != nil && !errors.Is(err, errNotReady) {
			return fmt.Errorf("%w; the deletion goes on with the next one, or the next list", err)
		}
	}
	if err := b.remove(ctx, f); err != nil {
		return fmt.Errorf("%w; the deletion goes on with the next one, or the next list", err)
	}
	return nil
}

// remove removes a function with all that belongs to it. The function itself
// goes last: while there is anything left, it tells that there is.
func (b *Backend) remove(ctx context.Context, f *found) error {
	if err := b.detach(ctx, f); err != nil {
		return err
	}
	if _, far := inS3(f.tags); far || f.state() != settled {
		if err := f.account.sweepRecords(ctx, f.function(), nil); err != nil {
			return err
		}
	}
	_, err := f.account.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: f.config.FunctionName})
	if err = awserr.Wrap("delete function "+f.name.String(), err); err != nil && !errors.Is(err, backend.ErrNotFound) {
		return err
	}
	b.observe.forget(f.name)
	return b.leaveRole(ctx, f)
}

// detach removes what belongs to a function and does not go with it.
func (b *Backend) detach(ctx context.Context, f *found) error {
	at := attachment{account: f.account, name: f.name, function: f.function(), arn: f.arn(), want: nothing, had: f.belongings(), late: true, unsure: f.damaged != nil}
	return b.setTriggers(ctx, at)
}

// belongings are what the function may have by any of its records.
func (f *found) belongings() []belongings {
	var all []belongings
	for _, r := range f.doc.Records {
		for _, replicas := range []uint64{f.replicas(r), backend.MinReplicas(r.Deployed)} {
			if one, err := belongingsOf(r.Deployed, f.function(), replicas); err == nil { // else another program deployed it
				all = append(all, one)
			}
		}
	}
	return all
}
