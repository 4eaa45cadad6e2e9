package aws

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
)

// OpenFaaS' labels for scaling (docs.openfaas.com, "Autoscaling").
const (
	maxReplicasLabel = "com.openfaas.scale.max"
	scaleZeroLabel   = "com.openfaas.scale.zero"
)

// concurrency is what replicas are on Lambda. A replica that waits for requests
// is an instance that is kept initialised, so from two on that many are
// provisioned; the first costs nothing, because Lambda starts it when it is
// needed. The most replicas are the most instances, which is reserved
// concurrency.
//
// No replicas at all means that nothing runs: reserved concurrency of zero. Not
// so where com.openfaas.scale.zero allows something to scale the function down
// when it is idle: there it stands ready, as that label wants it.
func concurrency(d types.FunctionDeployment, x annotations.Settings, replicas uint64) (provisioned, reserved int32, err error) {
	labels := map[string]string{}
	if d.Labels != nil {
		labels = *d.Labels
	}
	toZero, err := boolLabel(labels, scaleZeroLabel)
	if err != nil {
		return 0, 0, err
	}
	least, err := numberLabel(labels, backend.MinReplicasLabel)
	if err != nil {
		return 0, 0, err
	}
	most, err := numberLabel(labels, maxReplicasLabel)
	if err != nil {
		return 0, 0, err
	}
	if most > 0 && least > most {
		return 0, 0, backend.Errorf(backend.ErrInvalid, "label %s=%d is more than %s=%d", backend.MinReplicasLabel, least, maxReplicasLabel, most)
	}
	reserved = unreserved
	if most > 0 {
		reserved = most
	}
	if x.Reserved != nil {
		reserved = *x.Reserved
	}
	if replicas > 1 && !(toZero && replicas == uint64(least)) {
		provisioned = int32(min(replicas, math.MaxInt32))
	}
	if x.Provisioned != nil {
		provisioned = *x.Provisioned
	}
	if replicas == 0 {
		provisioned = 0
		if !toZero {
			reserved = 0
		}
	}
	if reserved != unreserved {
		provisioned = min(provisioned, reserved)
	}
	return provisioned, reserved, nil
}

func boolLabel(labels map[string]string, name string) (bool, error) {
	switch value := labels[name]; value {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, backend.Errorf(backend.ErrInvalid, "label %s=%q: want true or false", name, value)
	}
}

func numberLabel(labels map[string]string, name string) (int32, error) {
	value := labels[name]
	if value == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 0 {
		return 0, backend.Errorf(backend.ErrInvalid, "label %s=%q: want a number", name, value)
	}
	return int32(n), nil
}

// Scale implements backend.Scaler. What was asked for is recorded first, so that
// it comes about even if this process ends before it did.
func (b *Backend) Scale(ctx context.Context, name backend.Name, replicas uint64) (err error) {
	release, err := b.busy.take(name)
	if err != nil {
		return err
	}
	defer release()
	doing := "scale function " + name.String()
	f, err := b.claimable(ctx, doing, name)
	if err != nil {
		return err
	}
	r, err := f.doc.current()
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if most, err := belongingsOf(r.Deployed, f.function(), replicas); err == nil && most.reserved > 0 {
		replicas = min(replicas, uint64(most.reserved)) // more than that never run
	}
	before := f.replicas(r)
	if before == replicas {
		return nil
	}
	defer b.cache.forget(name)
	scaled := func(n uint64, pending string) error {
		want := map[string]string{tagReplicas: strconv.FormatUint(n, 10), tagPending: pending}
		return b.retag(ctx, f.account, f.tagged(), want)
	}
	if err := scaled(replicas, pendingScale); err != nil {
		return err
	}
	err = b.scaleTo(ctx, f, r, before, replicas)
	if err == nil {
		return scaled(replicas, "")
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	ctx = undo
	if undone := b.scaleTo(ctx, f, r, replicas, before); undone != nil {
		return fmt.Errorf("%w; and it could not be undone: %w; the next list tries again to scale it to %d", err, undone, replicas)
	}
	if undone := scaled(before, ""); undone != nil {
		return fmt.Errorf("%w; and it could not be undone: %w; the next list tries again to scale it to %d", err, undone, replicas)
	}
	return err
}

// scaleTo sets the concurrency of what serves.
func (b *Backend) scaleTo(ctx context.Context, f *found, r record, from, to uint64) error {
	had, err := belongingsOf(r.Deployed, f.function(), from)
	if err != nil {
		return err
	}
	want, err := belongingsOf(r.Deployed, f.function(), to)
	if err != nil {
		return err
	}
	at := attachment{account: f.account, name: f.name, function: f.function(), arn: f.arn(), want: want, had: []belongings{had}}
	if err := b.setConcurrency(ctx, at); err != nil {
		return err
	}
	at.late = true
	return b.setConcurrency(ctx, at)
}
