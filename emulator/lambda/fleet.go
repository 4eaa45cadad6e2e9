package lambda

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
	short  func(name string) // called, under mu, when a version has fewer sandboxes than its provisioned concurrency
	starts chan struct{}     // a token for each sandbox being made: many at once only slow each other down

	mu         sync.Mutex     // guards the fields below
	busy       map[string]int // leases by function
	squads     map[post]*squad
	leases     map[*lease]struct{}
	unreserved int // leases that count against the account's unreserved concurrency
	closed     bool
	errs       []error

	closing sync.WaitGroup // sandboxes being closed
}

// post is a version of a function.
type post struct{ name, version string }

// squad is the sandboxes of one version.
type squad struct {
	liveID  string // of what waits for work
	busy    int
	idle    []*instance // the one used last at the end
	keep    int         // provisioned concurrency: so many sandboxes are kept ready
	booting int         // being made ready for keep
	failure string      // why one could not be made ready
}

// members is how many sandboxes there are or will be.
func (q *squad) members() int { return q.busy + len(q.idle) + q.booting }

// pool is what an invocation counts against.
type pool int

const (
	unreservedPool  pool = iota // the account's
	reservedPool                // the function's own
	provisionedPool             // the version's, which has been taken off the account's
)

// lease is the right to one invocation at a time, with a sandbox to run it or none yet.
type lease struct {
	post
	live     *live
	pool     pool
	provided bool // within the version's provisioned concurrency
	instance *instance
}

func newFleet(logger *slog.Logger, short func(name string)) *fleet {
	return &fleet{
		logger: logger, short: short, busy: map[string]int{}, squads: map[post]*squad{}, leases: map[*lease]struct{}{},
		starts: make(chan struct{}, max(2, 2*runtime.NumCPU())),
	}
}

// squad returns that of a version, made if need be. The caller holds mu.
func (f *fleet) squad(at post) *squad {
	q := f.squads[at]
	if q == nil {
		q = &squad{}
		f.squads[at] = q
	}
	return q
}

// acquire takes an idle sandbox of the version, or the right to start one. reserved is the function's own concurrency, nil for none;
// unreserved is what all functions without share. The lease must be released. It also returns how
// many leases the function has now.
func (f *fleet) acquire(at post, version *live, reserved *int, unreserved int) (*lease, int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.squad(at)
	f.renew(q, version.ID)
	l := &lease{post: at, live: version, provided: q.busy < q.keep}
	switch {
	case reserved != nil && f.busy[at.name] >= *reserved:
		return nil, 0, throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
	case reserved != nil:
		l.pool = reservedPool
	case l.provided:
		l.pool = provisionedPool
	case f.unreserved >= unreserved:
		return nil, 0, throttled("ConcurrentInvocationLimitExceeded")
	default:
		f.unreserved++
	}
	f.leases[l] = struct{}{}
	f.busy[at.name]++
	q.busy++
	if n := len(q.idle); n > 0 {
		l.instance = q.idle[n-1]
		q.idle = q.idle[:n-1]
	}
	return l, f.busy[at.name], nil
}

// release ends the lease; its sandbox waits for work again if it can.
func (f *fleet) release(l *lease) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.leases, l)
	q := f.squads[l.post]
	q.busy--
	if f.busy[l.name]--; f.busy[l.name] == 0 {
		delete(f.busy, l.name)
	}
	if l.pool == unreservedPool {
		f.unreserved--
	}
	f.station(q, l.post, l.live.ID, l.instance)
}

// station lets a sandbox, nil for none, wait for work if it is of use. The caller holds mu.
func (f *fleet) station(q *squad, at post, liveID string, i *instance) {
	switch {
	case i == nil:
	case f.closed || q.liveID != liveID || !i.box.Reusable():
		f.discard(i)
	default:
		i.idleSince = time.Now()
		q.idle = append(q.idle, i)
		f.bound()
	}
	if !f.closed && q.members() < q.keep && q.failure == "" {
		f.short(at.name)
	}
}

// bound closes the sandbox that has waited longest while there are too many; those of provisioned concurrency do not count. The caller holds
// mu.
func (f *fleet) bound() {
	count := 0
	var oldest *squad
	for _, q := range f.squads {
		spare := q.spare()
		count += spare
		if spare > 0 && (oldest == nil || q.idle[0].idleSince.Before(oldest.idle[0].idleSince)) {
			oldest = q
		}
	}
	if count > maxIdle {
		f.discard(oldest.idle[0])
		oldest.idle = slices.Delete(oldest.idle, 0, 1)
	}
}

// spare is how many idle sandboxes may go.
func (q *squad) spare() int { return max(0, min(len(q.idle), len(q.idle)+q.busy-q.keep)) }

// retire makes liveID what runs of a version, or of all versions of the function if none is named: idle sandboxes of others are closed now, busy
// ones after their invocation.
func (f *fleet) retire(name, version, liveID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for at, q := range f.squads {
		if at.name != name || version != "" && at.version != version {
			continue
		}
		f.renew(q, liveID)
		if liveID == "" {
			q.keep = 0
		}
	}
}

// renew lets go of idle sandboxes that are not of what is live now. The caller holds mu, and s.mu where it sets another than the empty id.
func (f *fleet) renew(q *squad, liveID string) {
	if q.liveID == liveID {
		return
	}
	for _, i := range q.idle {
		f.discard(i)
	}
	q.idle, q.liveID, q.failure = nil, liveID, ""
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

// code returns the hashes of all code that is in use.
func (f *fleet) code() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	used := map[string]bool{}
	for l := range f.leases {
		use(used, &l.live.code)
	}
	for _, q := range f.squads {
		for _, i := range q.idle {
			use(used, &i.live.code)
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
		for q.spare() > 0 && q.idle[0].idleSince.Before(limit) {
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
