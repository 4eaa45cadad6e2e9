package federation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// changing are the functions that are being changed here.
type changing struct {
	mu    sync.Mutex // guards names
	names map[backend.Name]bool
}

// begin returns the end of a change, or false when there is one already.
func (c *changing) begin(name backend.Name) (end func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names[name] {
		return nil, false
	}
	c.names[name] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.names, name)
	}, true
}

// change runs do, which changes a function, unless somebody else does.
func (b *Backend) change(name backend.Name, do func() error) error {
	end, ok := b.changing.begin(name)
	if !ok {
		return backend.Errorf(backend.ErrConflict, "function %s is being changed: try again when that is done", name)
	}
	defer end()
	b.index.touch(name)
	defer b.index.touch(name)
	return do()
}

// Deploy implements backend.Deployer. A function that is somewhere else moves:
// it is ready at its new place before it leaves the old one.
func (b *Backend) Deploy(ctx context.Context, d types.FunctionDeployment) error {
	return b.change(backend.NameOf(d), func() error { return b.put(ctx, d, false) })
}

// Update implements backend.Deployer.
func (b *Backend) Update(ctx context.Context, d types.FunctionDeployment) error {
	return b.change(backend.NameOf(d), func() error { return b.put(ctx, d, true) })
}

func (b *Backend) put(ctx context.Context, d types.FunctionDeployment, mustExist bool) error {
	name := backend.NameOf(d)
	to, err := b.route(d)
	if err != nil {
		return err
	}
	copies, unknown := b.where(ctx, name)
	if mustExist && len(copies) == 0 {
		if unknown != nil {
			return backend.Errorf(backend.ErrUnavailable, "update function %s: it may be where nobody answers: %w", name, unknown)
		}
		return backend.NotFound(name)
	}
	leaving := b.leaving(&to, copies)
	added, err := b.bring(ctx, d, to, copies, leaving)
	if err != nil {
		return err
	}
	if err := b.reached("ready"); err != nil {
		return err
	}
	for c, status := range added {
		b.index.set(name, c, &status)
	}
	return b.leave(ctx, name, leaving)
}

// where returns the copies of a function, as far as children answer; what a
// child that does not answer had is taken from the index. unknown is why
// there may be more.
func (b *Backend) where(ctx context.Context, name backend.Name) (copies map[*child]types.FunctionStatus, unknown error) {
	answers := ask(ctx, b, func(ctx context.Context, c *child) (types.FunctionStatus, error) { return c.Backend.Status(ctx, name) })
	known := b.index.known(name)
	copies = map[*child]types.FunctionStatus{}
	var errs []error
	for _, a := range answers {
		switch status, was := known[a.child]; {
		case a.err == nil:
			copies[a.child] = a.value
		case errors.Is(a.err, backend.ErrNotFound):
		case was:
			copies[a.child] = status
		default:
			errs = append(errs, fmt.Errorf("%s: %w", a.child.name, a.err))
		}
	}
	return copies, errors.Join(errs...)
}

// leaving returns the copies that a deployment replaces by ones elsewhere: of
// the function as it is, not other functions of that name. A function that
// nothing but the default puts anywhere stays where it is.
func (b *Backend) leaving(to *placement, copies map[*child]types.FunctionStatus) copiesAt {
	if len(copies) == 0 {
		return nil
	}
	order := b.rank(copies)
	home := order[0]
	if was, err := b.route(backend.DeploymentOf(copies[home])); err == nil && !to.chosen && !was.chosen && home != to.second {
		to.home = home
	}
	stay := to.children()
	out := copiesAt{}
	for _, c := range order {
		status := copies[c]
		own := c == home || b.isSecond(status, home, c) || b.names(b.replaces(copies[home]), c, status)
		if own && !slices.Contains(stay, c) {
			out[c.name] = b.identity(status)
		}
	}
	return out
}

// bring deploys to every place where the function belongs, its home last, and
// returns how it is there. When one fails, the others are as they were before.
func (b *Backend) bring(ctx context.Context, d types.FunctionDeployment, to placement, copies map[*child]types.FunctionStatus, leaving copiesAt) (map[*child]types.FunctionStatus, error) {
	name := backend.NameOf(d)
	added := map[*child]types.FunctionStatus{}
	marker := ""
	if len(leaving) > 0 {
		marker = leaving.marker()
	}
	var done []*child
	for _, c := range to.children() {
		if err := b.reached("before " + c.name); err != nil {
			return nil, err
		}
		status, err := b.deployTo(ctx, c, b.marked(d, marker))
		if err != nil {
			err = fmt.Errorf("deploy function %s to %s: %w", name, c.name, err)
			return nil, errors.Join(err, b.restore(context.WithoutCancel(ctx), name, done, copies))
		}
		done = append(done, c)
		added[c] = status
	}
	return added, nil
}

// deployTo deploys at one child and returns how it says that it is.
func (b *Backend) deployTo(ctx context.Context, c *child, d types.FunctionDeployment) (types.FunctionStatus, error) {
	if err := c.down(); err != nil {
		return types.FunctionStatus{}, err
	}
	err := c.Backend.Deploy(ctx, d)
	b.saw(c, err)
	if err != nil {
		return types.FunctionStatus{}, err
	}
	status, err := c.Backend.Status(ctx, backend.NameOf(d))
	if err != nil { // it is there, and a list will say more
		status = backend.StatusOf(d)
		status.AvailableReplicas = 1
	}
	return status, nil
}

// restore makes the copies at children what they were.
func (b *Backend) restore(ctx context.Context, name backend.Name, at []*child, copies map[*child]types.FunctionStatus) error {
	var errs []error
	for _, c := range at {
		var err error
		if was, existed := copies[c]; existed {
			err = c.Backend.Deploy(ctx, backend.DeploymentOf(was))
		} else {
			err = c.Backend.Delete(ctx, name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("undo the deployment to %s: %w", c.name, err))
		}
	}
	return errors.Join(errs...)
}

// marked returns d with the marker of a move.
func (b *Backend) marked(d types.FunctionDeployment, marker string) types.FunctionDeployment {
	if marker == "" {
		return d
	}
	annotations := map[string]string{}
	if d.Annotations != nil {
		maps.Copy(annotations, *d.Annotations)
	}
	annotations[b.markerKey()] = marker
	d.Annotations = &annotations
	return d
}

// Delete implements backend.Deployer: the function goes from everywhere where
// it belongs, its home last.
func (b *Backend) Delete(ctx context.Context, name backend.Name) error {
	return b.change(name, func() error {
		copies, unknown := b.where(ctx, name)
		if len(copies) == 0 {
			if unknown != nil {
				return backend.Errorf(backend.ErrUnavailable, "delete function %s: it may be where nobody answers: %w", name, unknown)
			}
			return backend.NotFound(name)
		}
		order := b.rank(copies)
		home := order[0]
		moved := b.replaces(copies[home])
		slices.Reverse(order)
		for _, c := range order {
			if c != home && !b.isSecond(copies[c], home, c) && !b.names(moved, c, copies[c]) {
				continue // another function of that name
			}
			if err := b.deleteAt(ctx, name, c); err != nil {
				return fmt.Errorf("delete function %s at %s: %w", name, c.name, err)
			}
		}
		return nil
	})
}

// deleteAt deletes at one child. What is gone already is gone.
func (b *Backend) deleteAt(ctx context.Context, name backend.Name, c *child) error {
	if err := c.down(); err != nil {
		return err
	}
	err := c.Backend.Delete(ctx, name)
	b.saw(c, err)
	if err != nil && !errors.Is(err, backend.ErrNotFound) {
		return err
	}
	b.index.set(name, c, nil)
	return nil
}
