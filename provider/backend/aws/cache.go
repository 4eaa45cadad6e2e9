package aws

import (
	"maps"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// freshness is how long an answer of AWS is repeated at least: a gateway asks for
// the list every five seconds and, with scale_from_zero, for a status before
// every invocation. Changes by this process are seen at once, those by others
// this much later.
const freshness = 2 * time.Second

// acquaintance is how long a function that was ours is taken to be ours when it
// is invoked. One that is gone answers by itself that it is.
const acquaintance = 5 * time.Minute

// maxCached bounds the functions remembered: all exist when they are added, but
// may exist no more.
const maxCached = 10_000

// cache holds what AWS said lately. What it gives out is shared and must not be
// changed.
type cache struct {
	mu       sync.Mutex // guards everything below
	turns    uint64     // counts the changes by this process
	changed  map[backend.Name]changedAt
	statuses map[backend.Name]cachedStatus
	targets  map[backend.Name]cachedTarget // where functions known to be ours are invoked
}

// changedAt is when this process changed a function last.
type changedAt struct {
	turn uint64
	at   time.Time
}

type cachedStatus struct {
	status types.FunctionStatus
	at     time.Time
}

type cachedTarget struct {
	target target
	at     time.Time
}

// turn is taken before AWS is asked: what it answers is kept only when nothing
// was changed meanwhile.
func (c *cache) turn() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turns
}

// forget is called after a change, whether or not it succeeded.
func (c *cache) forget(name backend.Name) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turns++
	if c.changed == nil {
		c.changed = map[backend.Name]changedAt{}
	}
	c.changed[name] = changedAt{c.turns, time.Now()}
	delete(c.statuses, name)
	delete(c.targets, name)
}

// changes returns the functions that this process changed after a turn and, with
// all, those that it changed after a time too; and the turn that it is now.
func (c *cache) changes(after uint64, since time.Time, all bool) ([]backend.Name, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.changed, func(_ backend.Name, ch changedAt) bool { return time.Since(ch.at) > maxUnindexed+settling })
	var names []backend.Name
	for name, ch := range c.changed {
		if ch.turn > after || all && ch.at.After(since) {
			names = append(names, name)
		}
	}
	return names, c.turns
}

func (c *cache) status(name backend.Name) (types.FunctionStatus, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.statuses[name]
	return s.status, ok && time.Since(s.at) <= freshness
}

func (c *cache) keepStatus(turn uint64, name backend.Name, status types.FunctionStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turns {
		return
	}
	if c.statuses == nil || len(c.statuses) > maxCached {
		c.statuses = map[backend.Name]cachedStatus{}
	}
	c.statuses[name] = cachedStatus{status, time.Now()}
}

func (c *cache) keepTarget(turn uint64, name backend.Name, t target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turns {
		return
	}
	if c.targets == nil || len(c.targets) > maxCached {
		c.targets = map[backend.Name]cachedTarget{}
	}
	c.targets[name] = cachedTarget{t, time.Now()}
}

// dropTarget forgets where a function is invoked that is not there, or not ours
// any more.
func (c *cache) dropTarget(name backend.Name) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.targets, name)
}

// known returns where a function known to be one of ours is invoked, so that
// invoking it costs no other call.
func (c *cache) known(name backend.Name) (target, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.targets[name]
	return t.target, ok && time.Since(t.at) <= acquaintance
}
