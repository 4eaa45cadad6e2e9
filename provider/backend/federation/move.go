package federation

import (
	"context"
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
// The marker stays. It names a copy by child and time of creation, so that it
// can never mean a function that somebody makes there later.

// copiesAt are copies of a function: times of creation by name of the child.
type copiesAt map[string]string

// String is the marker: child@created, separated by commas.
func (c copiesAt) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, name+"@"+c[name])
	}
	return strings.Join(parts, ",")
}

// movedFrom reads a marker. What is none of ours names nothing.
func movedFrom(marker string) copiesAt {
	if marker == "" {
		return nil
	}
	out := copiesAt{}
	for part := range strings.SplitSeq(marker, ",") {
		if at := strings.LastIndexByte(part, '@'); at > 0 {
			out[part[:at]] = part[at+1:]
		}
	}
	return out
}

// names tells whether status is one of the copies.
func (c copiesAt) names(at *child, status types.FunctionStatus) bool {
	when, ok := c[at.name]
	return ok && when == created(status.CreatedAt)
}

// created is a time of creation as a marker holds it: providers keep whole
// seconds.
func created(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

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
	b.log.Info("function has moved", "function", name.String(), "from", leaving.String(), "result", result)
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

// finish looks at the copies again, and removes the one that is over.
func (b *Backend) finish(ctx context.Context, name backend.Name) error {
	copies, _ := b.where(ctx, name)
	for c, status := range copies {
		left := movedFrom(b.marker(status))
		for other, old := range copies {
			if other == c || !left.names(other, old) {
				continue
			}
			if status.AvailableReplicas == 0 {
				if time.Since(status.CreatedAt) < b.opts.MoveTimeout {
					continue // it may still become ready
				}
				return b.finishAt(ctx, name, c, "undone")
			}
			b.index.touch(name)
			b.index.set(name, c, &status)
			if f := b.index.flightAt(name, other); f != nil && f.n.Load() > 0 {
				continue // the next time: invocations are under way there
			}
			if err := b.finishAt(ctx, name, other, "done"); err != nil {
				return err
			}
		}
	}
	return nil
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
