package aws

import (
	"context"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/invocation"
)

// target is where an invocation goes.
type target struct {
	invocation.Target
	account *account
	adopted bool // it knows nothing of our envelope: made by somebody else, or for a runtime of Lambda's
}

// target returns where an invocation of a function goes: the functions of others
// in the same account are not for everyone who can reach the provider.
func (b *Backend) target(ctx context.Context, name backend.Name) (target, error) {
	if t, ok := b.cache.known(name); ok {
		return t, nil
	}
	f, err := b.find(ctx, name)
	if err != nil {
		return target{}, err
	}
	return f.target(), nil
}

func (f *found) target() target {
	to := invocation.Target{Name: f.name, Function: f.function(), Qualifier: f.qualifier(), Group: groupOf(f)}
	return target{Target: to, account: f.account, adopted: f.adopted || native(f.config)}
}

// qualifier is what invocations of the function name beside it: its published
// alias, or nothing.
func (f *found) qualifier() string {
	if f.adopted || f.doc.first || f.damaged != nil && markOf(f.config).digest == "" {
		return ""
	}
	return liveAlias
}

// liveAlias names the version that serves.
const liveAlias = "live"
