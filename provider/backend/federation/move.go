package federation

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// A move has these steps, and each can be the last one before a crash:
//
//  1. The function is deployed to its new places, with a marker that names the
//     copies it replaces. Until that is ready the old copy is the one that
//     counts; a new copy that never becomes ready is removed (undone).
//  2. Invocations go to the new place. They do so too after a crash, because a
//     ready copy with a marker counts before those it names.
//  3. When the invocations under way at the old place have ended, it is
//     deleted there. A copy that a marker names and that is still there is
//     deleted when the children are listed (completed).
//
// The marker stays. It names a copy by child, time of creation and that copy's
// own marker, so that it can never mean a function that somebody makes there
// later, nor the same function when it moves there and back.

// copiesAt are copies of a function: their identities by the child's name.
type copiesAt map[string]string

// marker returns the text of a marker: an identifier of its own, then
// child@identity for every copy, separated by blanks.
func (c copiesAt) marker() string {
	parts := []string{rand.Text()}
	for _, name := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, name+"@"+c[name])
	}
	return strings.Join(parts, " ")
}

// readMarker reads a marker. What is none of ours names nothing.
func readMarker(marker string) (id string, names copiesAt) {
	id, rest, _ := strings.Cut(marker, " ")
	names = copiesAt{}
	for part := range strings.FieldsSeq(rest) {
		if child, identity, ok := strings.Cut(part, "@"); ok && child != "" {
			names[child] = identity
		}
	}
	return id, names
}

// replaces returns the copies that one has replaced.
func (b *Backend) replaces(status types.FunctionStatus) copiesAt {
	_, names := readMarker(b.marker(status))
	return names
}

// names tells whether a copy is one of them.
func (b *Backend) names(c copiesAt, at *child, status types.FunctionStatus) bool {
	identity, ok := c[at.name]
	return ok && identity == b.identity(status)
}

// identity tells a copy from every other one that was or will be at its child:
// its time of creation, of which providers keep whole seconds, and the identifier
// of its own marker.
func (b *Backend) identity(s types.FunctionStatus) string {
	id, _ := readMarker(b.marker(s))
	return s.CreatedAt.UTC().Truncate(time.Second).Format(time.RFC3339) + "@" + id
}

// leave removes the copies that a deployment has replaced, once nobody is being
// served by them. One that cannot be removed now is removed later: the function
// has moved all the same.
func (b *Backend) leave(ctx context.Context, name backend.Name, leaving copiesAt) error {
	if len(leaving) == 0 {
		return nil
	}
	b.index.drop(name, leaving)
	if err := b.reached("switched"); err != nil {
		return err
	}
	result := "done"
	for _, from := range slices.Sorted(maps.Keys(leaving)) {
		c := b.byName[from]
		b.drain(ctx, name, c)
		if err := b.reached("drained " + from); err != nil {
			return err
		}
		if err := b.deleteAt(ctx, name, c); err != nil {
			result = "pending"
			b.log.Warn("function has moved, and its old copy stays until its part of the federation answers", "function", name.String(), "part", from, "error", err)
		}
	}
	b.metrics.moves.WithLabelValues(result).Inc()
	b.log.Info("function has moved", "function", name.String(), "from", slices.Sorted(maps.Keys(leaving)), "result", result)
	return nil
}

// drain waits until no invocation of the function is under way at a child, or
// for Options.Drain.
func (b *Backend) drain(ctx context.Context, name backend.Name, c *child) {
	f := b.index.flightAt(name, c)
	if f == nil {
		return
	}
	timer := time.NewTimer(b.opts.Drain)
	defer timer.Stop()
	select {
	case <-f.drained():
	case <-timer.C:
		b.log.Warn("invocations are still under way where a function moves away", "function", name.String(), "part", c.name, "waited", b.opts.Drain)
	case <-ctx.Done():
	}
}

// drop makes invocations go to the new copies: the old ones still count in the
// index as long as nobody has listed the new ones.
func (x *index) drop(name backend.Name, leaving copiesAt) {
	for _, c := range x.owner.children {
		if _, ok := leaving[c.name]; ok {
			x.set(name, c, nil)
		}
	}
}

func (x *index) flightAt(name backend.Name, c *child) *flight {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.states[name]; s != nil {
		return s.flights[c]
	}
	return nil
}

// settle completes or undoes the moves that were interrupted.
func (b *Backend) settle(ctx context.Context) {
	for _, name := range b.index.moving() {
		end, ok := b.changing.begin(name)
		if !ok {
			continue // it is being moved right now
		}
		if err := b.finish(ctx, name); err != nil && ctx.Err() == nil {
			b.log.Warn("interrupted move waits", "function", name.String(), "error", err)
		}
		end()
	}
}

// finish looks at the copies again, and removes those that are over, one after
// the other: what a copy says may have changed meanwhile.
func (b *Backend) finish(ctx context.Context, name backend.Name) error {
	for range b.children {
		copies, _ := b.where(ctx, name)
		over, result := b.over(name, copies)
		if over == nil {
			return nil
		}
		if err := b.finishAt(ctx, name, over, result); err != nil {
			return err
		}
	}
	return nil
}

// over returns a copy that has to go, and what its removal makes of the move.
func (b *Backend) over(name backend.Name, copies map[*child]types.FunctionStatus) (over *child, result string) {
	for _, c := range b.children {
		status, there := copies[c]
		left := b.replaces(status)
		for _, other := range b.children {
			if old, ok := copies[other]; !there || !ok || other == c || !b.names(left, other, old) {
				continue
			}
			if status.AvailableReplicas == 0 {
				if time.Since(status.CreatedAt) < b.opts.MoveTimeout {
					continue // it may still become ready
				}
				return c, "undone"
			}
			b.index.set(name, c, &status)
			if f := b.index.flightAt(name, other); f != nil && f.n.Load() > 0 {
				continue // the next time: invocations are under way there
			}
			return other, "done"
		}
	}
	return nil, ""
}

func (b *Backend) finishAt(ctx context.Context, name backend.Name, c *child, result string) error {
	b.index.touch(name)
	if err := b.deleteAt(ctx, name, c); err != nil {
		return fmt.Errorf("remove the copy at %s: %w", c.name, err)
	}
	b.metrics.moves.WithLabelValues(result).Inc()
	b.log.Info("interrupted move is settled", "function", name.String(), "removed", c.name, "result", result)
	return nil
}
