package aws

import (
	"context"
	"errors"
	"fmt"
	"time"

	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// change is one deployment on its way into AWS. Each of its steps may fail, and
// be the last one that its process does: what is left then is undone, or
// completed when it serves already, by run or by the next provider (settle.go).
// Steps that Lambda may have done although their answer was lost look whether
// it did.
type change struct {
	b        *Backend
	account  *account
	plan     plan
	code     code
	current  *found // nil when there is none
	digest   string // of the deployment
	mark     mark
	latest   record   // the deployment, as it is recorded
	before   *record  // what serves; nil when nothing does
	doc      document // as it will be recorded
	replicas uint64

	arn      string
	tags     map[string]string // as they are
	revision string            // of $LATEST as this change left it
	version  string            // that was published
	inRole   bool              // its managed role was, or may have been, changed

	published lambdatypes.FunctionConfiguration // of that version
}

func (b *Backend) newChange(p plan, c code, current *found) (*change, error) {
	digest, err := p.digest(c)
	if err != nil {
		return nil, err
	}
	ch := &change{
		b: b, account: p.account, plan: p, code: c, current: current, digest: digest,
		mark: mark{digest, newToken()}, replicas: backend.MinReplicas(p.deployment),
		latest: newRecord(p.deployment, digest, time.Now()),
		doc:    document{Service: p.name.Function, Namespace: p.name.Namespace, Created: time.Now().UTC().Truncate(time.Second)},
	}
	if current != nil {
		ch.tags, ch.arn = current.tags, current.arn()
		if current.damaged == nil {
			ch.doc = current.doc
			if r, err := current.doc.current(); err == nil {
				ch.before = &r
			}
		}
	}
	if p.reason != "" {
		ch.latest.Package, ch.latest.Reason = p.packed, p.reason
	}
	ch.latest.Added, ch.latest.Managed = p.added, p.managed()
	ch.doc = ch.doc.with(ch.latest, ch.keep())
	return ch, nil
}

// keepVersions is how many earlier deployments are kept when nothing is said.
const keepVersions = 3

// keep is how many deployments are kept beside the one that is made.
func (c *change) keep() int {
	if c.plan.KeepVersions > 0 {
		return c.plan.KeepVersions
	}
	return keepVersions
}

// run does the steps in order. When one fails, or ctx ends, all of them are
// undone, and the error says so if that fails too.
func (c *change) run(ctx context.Context, steps ...func(context.Context) error) error {
	var err error
	for _, step := range steps {
		if err = ctx.Err(); err == nil {
			err = step(ctx)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		return nil
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	done, undone := c.undo(undo)
	if done {
		return nil
	}
	if undone != nil {
		return fmt.Errorf("%w; and it could not be undone: %w; the next deployment, deletion or list does it", err, undone)
	}
	return err
}

// mend brings back the triggers of a deployment that serves already, where
// another tool removed them.
func (c *change) mend(ctx context.Context) error {
	for _, late := range []bool{false, true} {
		at, err := c.attachments(late)
		if err == nil {
			err = c.b.setTriggers(ctx, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// undo brings back what was there before, unless the function is by now in the
// hands of another change, or never was in these. It tells whether the change is
// done after all: the answer to its last step was lost.
func (c *change) undo(ctx context.Context) (done bool, err error) {
	f, err := c.b.get(ctx, c.plan.name)
	if errors.Is(err, backend.ErrNotFound) || errors.Is(err, backend.ErrConflict) {
		return false, c.removeRole(ctx)
	}
	if err != nil {
		return false, err
	}
	if markOf(f.config) != c.mark {
		return false, c.giveBackRole(ctx, f)
	}
	if f.doc.Current == c.digest && f.state() == settled {
		return true, nil
	}
	return false, c.b.revert(ctx, f)
}
