package aws

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// A list that took n calls is kept for n times callPause, within these limits:
// so reading it costs two and a half calls a second on average, however many
// functions there are and however often a gateway asks, of the 15 that AWS
// allows (docs.aws.amazon.com/lambda, "Lambda quotas"). Changes by this process
// are read one by one and seen at once.
//
// Where the index of tags may not be read, each function's tags are a call: then
// a list may be kept for longer.
const (
	callPause    = 400 * time.Millisecond
	maxFreshness = 30 * time.Second
	maxUnindexed = 10 * time.Minute
)

// settling is how long the index of tags may take to show a change: for so long,
// functions that this process changed are read by themselves.
const settling = time.Minute

// listing is what ListFunctions and the index of tags said lately about the
// functions of one account that are ours or adopted.
type listing struct {
	hold  chan struct{} // holds one value while it is used; guards what follows
	until time.Time     // when it is to be read anew
	turn  uint64        // the change by this process up to which it is right
	all   map[backend.Name]entry

	expired atomic.Bool
}

type entry struct {
	found  *found
	status types.FunctionStatus
}

// expire makes the next list read everything anew.
func (l *listing) expire() { l.expired.Store(true) }

func newListing() *listing { return &listing{hold: make(chan struct{}, 1)} }

// List implements backend.Reader. It also settles what interrupted changes left.
func (b *Backend) List(ctx context.Context, namespace string) ([]types.FunctionStatus, error) {
	a, err := b.accountOf(ctx, namespace)
	if errors.Is(err, backend.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for settling := true; ; settling = false {
		list, left, err := b.listed(ctx, a, namespace)
		if err == nil && (len(left) == 0 || !settling) {
			b.sweepRoles(ctx, a)
			b.measure(ctx, a, list)
		}
		if err != nil || len(left) == 0 || !settling {
			return list, err
		}
		for _, name := range left {
			b.tidy(ctx, name)
		}
	}
}

// listed returns the functions of a namespace, ordered by name, and when they
// were just read, those that an interrupted change left unfinished.
func (b *Backend) listed(ctx context.Context, a *account, namespace string) (list []types.FunctionStatus, left []backend.Name, err error) {
	select {
	case a.listing.hold <- struct{}{}:
		defer func() { <-a.listing.hold }()
	case <-ctx.Done():
		return nil, nil, awserr.Wrap("list functions", ctx.Err())
	}
	begin := time.Now()
	fresh := a.listing.expired.Swap(false) || begin.After(a.listing.until)
	if fresh {
		if err := b.readAll(ctx, a); err != nil {
			a.listing.expire()
			return nil, nil, err
		}
	}
	changed, turn := b.cache.changes(a.listing.turn, begin.Add(-settling), fresh)
	for _, name := range changed {
		if err := b.reread(ctx, a, name); err != nil {
			return nil, nil, err
		}
	}
	a.listing.turn = turn
	for name, e := range a.listing.all {
		if name.Namespace != namespace {
			continue
		}
		state := e.found.state()
		if fresh && state != settled && state != unpublished && (state == scaling || b.abandoned(e.found)) {
			left = append(left, name)
		}
		if state != removing {
			list = append(list, e.status)
		}
	}
	slices.SortFunc(list, func(a, b types.FunctionStatus) int { return strings.Compare(a.Name, b.Name) })
	return list, left, nil
}

// readAll reads all functions of an account and their tags.
func (b *Backend) readAll(ctx context.Context, a *account) error {
	turn := b.cache.turn()
	read, err := a.snapshot(ctx, b.log)
	if err != nil {
		return err
	}
	all := make(map[backend.Name]entry, len(read.configs))
	for _, config := range read.configs {
		f := &found{account: a, config: config, tags: read.tags[aws.ToString(config.FunctionArn)], at: read.at}
		f.name = backend.Name{Namespace: f.tags[tagNamespace], Function: f.tags[tagService]}
		if !ours(f.tags) {
			f.name = backend.Name{Namespace: b.opts.Namespace, Function: f.function()}
		}
		if err := b.identify(ctx, f); errors.Is(err, backend.ErrConflict) {
			continue // somebody else's
		} else if err != nil {
			f.damaged = err
		}
		all[f.name] = b.entry(ctx, f)
		if f.doc.hasManagedRole() {
			a.roles.Used()
		}
	}
	for name := range a.listing.all {
		if _, still := all[name]; !still {
			b.observe.forget(name) // deleted by somebody else
		}
	}
	a.listing.all, a.listing.turn = all, turn
	a.listing.until = time.Now().Add(min(max(time.Duration(read.calls)*callPause, freshness), read.most))
	return nil
}

// entry describes a function for a list. One whose record cannot be read is
// listed with what else is known of it.
func (b *Backend) entry(ctx context.Context, f *found) entry {
	err := b.resolve(ctx, f)
	if err != nil {
		b.log.Warn("list function with what it is about to be", "function", f.function(), "error", err)
	}
	status, err := f.status()
	if err != nil {
		b.log.Error("read function", "function", f.function(), "error", err)
		status = backend.StatusOf(types.FunctionDeployment{Service: f.name.Function, Namespace: f.name.Namespace})
	}
	b.observe.packaged(f.name, f.config.CodeSize)
	return entry{f, status}
}

// reread brings one function of a list up to date.
func (b *Backend) reread(ctx context.Context, a *account, name backend.Name) error {
	if at, err := b.accountOf(ctx, name.Namespace); err != nil || at != a {
		delete(a.listing.all, name)
		return nil // of another account's list
	}
	f, err := b.get(ctx, name)
	switch {
	case errors.Is(err, backend.ErrNotFound), errors.Is(err, backend.ErrConflict):
		delete(a.listing.all, name)
	case err != nil:
		return err
	default:
		a.listing.all[name] = b.entry(ctx, f)
	}
	return nil
}
