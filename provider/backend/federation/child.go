package federation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// child is a backend of the federation, and what is known about it.
type child struct {
	Child
	name  string
	order int // in the configuration
	kick  chan struct{}

	failures atomic.Int32            // in a row
	broken   atomic.Pointer[outage]  // nil while it is up
	served   [reasons]*servedCounter // by why it was sent there

	looking sync.Mutex   // held by look; guards the rest
	listed  time.Time    // when it was last
	unwell  atomic.Int32 // checks in a row that failed
}

// outage is why nothing is sent to a child.
type outage struct{ err error }

func newChild(from Child, order int, m *metrics) *child {
	c := &child{Child: from, name: from.Name, order: order, kick: make(chan struct{}, 1)}
	for why := range c.served {
		c.served[why] = m.served(from.Name, reason(why))
	}
	m.up(from.Name, true)
	return c
}

// down returns why nothing is sent to the child, or nil.
func (c *child) down() error {
	if o := c.broken.Load(); o != nil {
		return o.err
	}
	return nil
}

// saw takes note of how a call to the child ended. Only a child that cannot be
// reached is failing: every other error is an answer.
func (b *Backend) saw(c *child, err error) {
	switch {
	case err == nil || !errors.Is(err, backend.ErrUnreachable):
		if c.failures.Load() != 0 {
			c.failures.Store(0)
		}
	case int(c.failures.Add(1)) >= b.opts.Failures:
		b.breakOff(c, err)
		c.wake()
	}
}

// breakOff stops sending to a child until a check succeeds.
func (b *Backend) breakOff(c *child, err error) {
	o := &outage{backend.AsNotBegun(backend.Errorf(backend.ErrUnreachable, "%s is down: %w", c.name, err))}
	if c.broken.Swap(o) == nil {
		b.metrics.up(c.name, false)
		b.log.Warn("part of the federation is down", "part", c.name, "error", err)
	}
}

// mend sends to a child again.
func (b *Backend) mend(c *child) {
	c.failures.Store(0)
	if c.broken.Swap(nil) != nil {
		b.metrics.up(c.name, true)
		b.log.Info("part of the federation is up", "part", c.name)
	}
}

// wake makes watch look now.
func (c *child) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

func (c *child) orchestration() string {
	if d, ok := c.Backend.(backend.Describer); ok {
		return d.Orchestration()
	}
	return "lambda"
}

const (
	// downInterval is how often a child is checked that is not well.
	downInterval = 500 * time.Millisecond
	// unwellChecks is how many checks in a row fail before a child counts as
	// down that can be reached.
	unwellChecks = 3
)

// watch looks at a child now and then, until ctx ends.
func (b *Backend) watch(ctx context.Context, c *child) {
	timer := time.NewTimer(b.opts.CheckInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.kick:
		case <-timer.C:
		}
		wasDown := c.down() != nil
		b.look(ctx, c, wasDown || c.stale(b.opts.Refresh))
		if c.unwell.Load() == 0 && c.down() == nil {
			timer.Reset(b.opts.CheckInterval)
		} else {
			timer.Reset(min(b.opts.CheckInterval, downInterval))
		}
	}
}

// stale tells whether the child was last listed so long ago.
func (c *child) stale(after time.Duration) bool {
	c.looking.Lock()
	defer c.looking.Unlock()
	return time.Since(c.listed) >= after
}

// look checks a child, and lists its functions when that is asked for.
func (b *Backend) look(ctx context.Context, c *child, list bool) {
	c.looking.Lock()
	defer c.looking.Unlock()
	if err := b.check(ctx, c); err != nil {
		// Slowness alone, of the child or of this machine, is no outage yet.
		if n := c.unwell.Add(1); ctx.Err() == nil && (n >= unwellChecks || errors.Is(err, backend.ErrUnreachable)) {
			b.breakOff(c, err)
		}
		return
	}
	c.unwell.Store(0)
	var err error
	if list {
		err = b.survey(ctx, c)
	}
	if errors.Is(err, backend.ErrUnreachable) && c.down() != nil {
		return // a check may be one that was remembered
	}
	b.mend(c)
	if err != nil && ctx.Err() == nil {
		b.log.Warn("functions cannot be listed", "part", c.name, "error", err)
	}
	if err == nil && list {
		c.listed = time.Now()
		b.settle(ctx)
	}
}

func (b *Backend) check(ctx context.Context, c *child) error {
	checker, ok := c.Backend.(backend.Checker)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, b.opts.ListTimeout, fmt.Errorf("no answer in %s", b.opts.ListTimeout))
	defer cancel()
	err := checker.Check(ctx)
	if err != nil && context.Cause(ctx) != nil {
		return context.Cause(ctx)
	}
	return err
}

// survey asks a child for its namespaces and for the functions in all of them.
func (b *Backend) survey(ctx context.Context, c *child) error {
	ctx, cancel := context.WithTimeout(ctx, b.opts.ListTimeout)
	defer cancel()
	namespaces := []string{b.opts.Namespace}
	if n, ok := c.Backend.(backend.Namespacer); ok {
		var err error
		if namespaces, err = n.Namespaces(ctx); err != nil {
			return err
		}
	}
	b.index.namespaces(c, namespaces)
	for _, namespace := range namespaces {
		since := b.index.now()
		functions, err := c.Backend.List(ctx, namespace)
		if err != nil {
			return err
		}
		b.index.listing(c, namespace, functions, since)
	}
	b.index.complete(c)
	return nil
}
