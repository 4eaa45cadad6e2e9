package aws

import (
	"context"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// target is where an invocation goes.
type target struct {
	name      backend.Name
	account   *account
	function  string // name in Lambda
	qualifier string // empty for the unpublished function
	group     string // of its log
	adopted   bool   // it knows nothing of our envelope: made by somebody else, or for a runtime of Lambda's
}

// doing is what errors begin with.
func (to target) doing() string { return "invoke function " + to.name.String() }

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
	return target{name: f.name, account: f.account, function: f.function(), qualifier: f.qualifier(), group: groupOf(f), adopted: f.adopted || native(f.config)}
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
