package emulator

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	// maxIdle bounds the sandboxes that wait for work, of all functions together: each holds the memory of its function.
	maxIdle = 50
	// idleTime is how long a sandbox waits for work.
	idleTime = 10 * time.Minute
	// reapEvery is how often sandboxes that have waited too long are looked for.
	reapEvery = 30 * time.Second
)

// fleet is all sandboxes of all functions: who is busy, who waits, and how many may be.
type fleet struct {
	logger *slog.Logger
	starts chan struct{} // a token for each sandbox being made: many at once only slow each other down

	mu         sync.Mutex // guards the fields below
	squads     map[string]*squad
	leases     map[*lease]struct{}
	unreserved int // busy sandboxes that count against the account's unreserved concurrency
	closed     bool
	errs       []error

	closing sync.WaitGroup // sandboxes being closed
}

// squad is the sandboxes of one function.
type squad struct {
	liveID string // of the version that waits for work
	busy   int
	idle   []*instance // the one used last at the end
}

// lease is the right to one invocation at a time, with a sandbox to run it or none yet.
type lease struct {
	name     string
	live     *live
	reserved bool // counts against the function's own concurrency
	instance *instance
}

func newFleet(logger *slog.Logger) *fleet {
	return &fleet{
		logger: logger, squads: map[string]*squad{}, leases: map[*lease]struct{}{},
		starts: make(chan struct{}, max(2, 2*runtime.NumCPU())),
	}
}

// acquire takes an idle sandbox of the function, or the right to start one. reserved is the function's own concurrency, nil for none;
// unreserved is what all functions without share. The lease must be released.
func (f *fleet) acquire(name string, version *live, reserved *int, unreserved int) (*lease, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.squads[name]
	if q == nil {
		q = &squad{liveID: version.ID}
		f.squads[name] = q
	}
	switch {
	case reserved != nil && q.busy >= *reserved:
		return nil, throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
	case reserved == nil && f.unreserved >= unreserved:
		return nil, throttled("ConcurrentInvocationLimitExceeded")
	}
	l := &lease{name: name, live: version, reserved: reserved != nil}
	f.leases[l] = struct{}{}
	q.busy++
	if !l.reserved {
		f.unreserved++
	}
	if n := len(q.idle); n > 0 && q.liveID == version.ID {
		l.instance = q.idle[n-1]
		q.idle = q.idle[:n-1]
	}
	return l, nil
}

// release ends the lease; its sandbox waits for work again if it can.
func (f *fleet) release(l *lease) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.leases, l)
	q := f.squads[l.name]
	q.busy--
	if !l.reserved {
		f.unreserved--
	}
	i := l.instance
	if i == nil {
		return
	}
	if f.closed || q.liveID != l.live.ID || !i.box.Reusable() {
		f.discard(i)
		return
	}
	i.idleSince = time.Now()
	q.idle = append(q.idle, i)
	f.bound()
}

// bound closes the sandbox that has waited longest while there are too many. The caller holds mu.
func (f *fleet) bound() {
	count := 0
	var oldest *squad
	for _, q := range f.squads {
		count += len(q.idle)
		if len(q.idle) > 0 && (oldest == nil || q.idle[0].idleSince.Before(oldest.idle[0].idleSince)) {
			oldest = q
		}
	}
	if count > maxIdle {
		f.discard(oldest.idle[0])
		oldest.idle = slices.Delete(oldest.idle, 0, 1)
	}
}

// retire makes liveID the function's version: idle sandboxes of others are closed now, busy ones after their invocation.
func (f *fleet) retire(name, liveID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.squads[name]
	if q == nil {
		return
	}
	for _, i := range q.idle {
		f.discard(i)
	}
	q.idle, q.liveID = nil, liveID
}

// discard closes a sandbox in the background. The caller holds mu.
func (f *fleet) discard(i *instance) {
	f.closing.Go(func() {
		if err := i.box.Close(); err != nil {
			f.logger.Warn("sandbox was not removed", "function", i.name, "error", err)
			f.mu.Lock()
			f.errs = append(f.errs, err)
			f.mu.Unlock()
		}
	})
}

// zips returns the code that is in use.
func (f *fleet) zips() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	used := map[string]bool{}
	for l := range f.leases {
		used[l.live.Zip] = true
	}
	for _, q := range f.squads {
		for _, i := range q.idle {
			used[i.zip] = true
		}
	}
	return used
}

// reap closes sandboxes that have waited too long, until ctx ends.
func (f *fleet) reap(ctx context.Context) {
	ticker := time.NewTicker(reapEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			f.reapBefore(now.Add(-idleTime))
		}
	}
}

func (f *fleet) reapBefore(limit time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range f.squads {
		for len(q.idle) > 0 && q.idle[0].idleSince.Before(limit) {
			f.discard(q.idle[0])
			q.idle = slices.Delete(q.idle, 0, 1)
		}
	}
}

// close closes idle sandboxes and keeps others from becoming idle.
func (f *fleet) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, q := range f.squads {
		for _, i := range q.idle {
			f.discard(i)
		}
		q.idle = nil
	}
}

// wait is for after close and the last release.
func (f *fleet) wait() error {
	f.closing.Wait()
	return errors.Join(f.errs...)
}
