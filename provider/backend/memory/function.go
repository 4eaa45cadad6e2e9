package memory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// function is one that is deployed. It is replaced and never changed, but for
// what it prints and uses, which outlives an update.
type function struct {
	deployed  types.FunctionDeployment
	behaviour behaviour
	created   time.Time
	replicas  uint64
	log       *log
	use       *use
}

func (f *function) status() types.FunctionStatus {
	s := backend.StatusOf(clone(f.deployed))
	s.CreatedAt, s.Replicas, s.AvailableReplicas = f.created, f.replicas, f.replicas
	f.use.mu.Lock()
	defer f.use.mu.Unlock()
	s.InvocationCount = float64(f.use.invocations)
	return s
}

// use is what the invocations of a function used.
type use struct {
	mu          sync.Mutex // guards the rest
	running     int
	invocations uint64
	busy        time.Duration
	months      map[time.Time]backend.Consumption // by the first of the month, UTC
	measured    time.Duration                     // busy, when usage was last asked for
}

// begin counts an invocation in, unless limit (0 is none) are under way.
func (u *use) begin(limit int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if limit > 0 && u.running >= limit {
		return false
	}
	u.running++
	return true
}

// end counts an invocation out, which began at start and used so much memory.
func (u *use) end(start time.Time, bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	took := time.Since(start)
	u.running--
	u.invocations++
	u.busy += took
	if u.months == nil {
		u.months = map[time.Time]backend.Consumption{}
	}
	month := monthOf(start)
	c := u.months[month]
	c.Requests++
	c.GBSeconds += took.Seconds() * float64(bytes) / (1 << 30)
	u.months[month] = c
}

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// Consumption implements backend.Accountant. It counts by calendar months of
// UTC: those that since is in or before.
func (b *Backend) Consumption(_ context.Context, name backend.Name, since time.Time) (backend.Consumption, error) {
	f, err := b.find(name)
	if err != nil {
		return backend.Consumption{}, err
	}
	f.use.mu.Lock()
	defer f.use.mu.Unlock()
	var sum backend.Consumption
	for month, c := range f.use.months {
		if !month.Before(monthOf(since)) {
			sum.Requests += c.Requests
			sum.GBSeconds += c.GBSeconds
		}
	}
	return sum, nil
}

// Usage implements backend.Meter: as if each invocation kept one processor busy
// and every replica held its memory.
func (b *Backend) Usage(_ context.Context, name backend.Name) (types.FunctionUsage, error) {
	f, err := b.find(name)
	if err != nil {
		return types.FunctionUsage{}, err
	}
	f.use.mu.Lock()
	defer f.use.mu.Unlock()
	spent := f.use.busy - f.use.measured
	f.use.measured = f.use.busy
	return types.FunctionUsage{CPU: spent.Seconds(), TotalMemoryBytes: float64(f.replicas) * float64(f.behaviour.memory)}, nil
}

// clone returns d with nothing that its owner could still change.
func clone(d types.FunctionDeployment) types.FunctionDeployment {
	d.EnvVars, d.Constraints, d.Secrets = maps.Clone(d.EnvVars), slices.Clone(d.Constraints), slices.Clone(d.Secrets)
	for _, m := range []**map[string]string{&d.Labels, &d.Annotations} {
		if *m != nil {
			c := maps.Clone(**m)
			*m = &c
		}
	}
	for _, r := range []**types.FunctionResources{&d.Limits, &d.Requests} {
		if *r != nil {
			c := **r
			*r = &c
		}
	}
	return d
}
