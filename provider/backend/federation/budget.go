package federation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// budget is what a function may use of its home in a month, and has used. A nil
// budget is never over.
type budget struct {
	mu       sync.Mutex // guards the rest
	limits   limits
	month    time.Time           // its first moment, UTC
	reported backend.Consumption // by the child, lately
	base     uint64              // requests that the child had counted when we began to
	counted  uint64              // requests that we have sent since
	based    bool
	told     bool // that the child cannot count
}

// budgetFor returns the budget that the entry's annotations allow, or nil. The
// caller holds the index's mutex.
func (s *state) budgetFor(e *entry) *budget {
	if e.policy.budget == nil || e.second == nil {
		s.budget = nil
		return nil
	}
	if s.budget == nil {
		s.budget = &budget{}
	}
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	s.budget.limits = *e.policy.budget
	return s.budget
}

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// turn begins a new month when it is time; the caller holds mu.
func (u *budget) turn(now time.Time) {
	if month := monthOf(now); !month.Equal(u.month) {
		u.month, u.reported, u.base, u.counted, u.based = month, backend.Consumption{}, 0, 0, false
	}
}

// over tells whether the month's budget is used up. What the child reports may
// lag behind, so that requests are counted here too.
func (u *budget) over(now func() time.Time) bool {
	if u == nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turn(now())
	return u.used() >= 1
}

// used is the part of the budget that is used; the caller holds mu.
func (u *budget) used() float64 {
	ratio := 0.0
	if u.limits.requests > 0 {
		ratio = float64(max(u.reported.Requests, u.base+u.counted)) / float64(u.limits.requests)
	}
	if u.limits.gbSeconds > 0 {
		ratio = max(ratio, u.reported.GBSeconds/u.limits.gbSeconds)
	}
	return ratio
}

// count counts an invocation that is sent to the function's home.
func (u *budget) count(now func() time.Time) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turn(now())
	u.counted++
}

// report takes over what the child has counted since the month began.
func (u *budget) report(month time.Time, c backend.Consumption) float64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !month.Equal(u.month) {
		return u.used() // of the month before
	}
	u.reported = c
	if !u.based {
		u.base, u.based = c.Requests-min(c.Requests, u.counted), true
	}
	return u.used()
}

// watchBudgets asks for the consumption of functions that have a budget.
func (b *Backend) watchBudgets(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		for _, e := range b.index.view.Load().functions {
			if e.budget != nil && ctx.Err() == nil {
				b.askBudget(ctx, e)
			}
		}
		timer.Reset(b.opts.BudgetPoll)
	}
}

// askBudget asks a function's home what the function consumed. When nobody can
// say, what is counted here has to do.
func (b *Backend) askBudget(ctx context.Context, e *entry) {
	u := e.budget
	u.mu.Lock()
	u.turn(b.now())
	month := u.month
	u.mu.Unlock()
	used, err := backend.Consumption{}, backend.ErrUnsupported
	if accountant, ok := e.home.Backend.(backend.Accountant); ok && e.home.down() == nil {
		ctx, cancel := context.WithTimeout(ctx, b.opts.ListTimeout)
		used, err = accountant.Consumption(ctx, e.name, month)
		cancel()
	}
	if err == nil {
		b.metrics.budgetUsed(e.name, u.report(month, used))
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	b.metrics.budgetUsed(e.name, u.used())
	if !u.told && errors.Is(err, backend.ErrUnsupported) {
		u.told = true
		b.log.Warn("consumption is unknown: of the budget only requests are counted, and those since this program began", "function", e.name.String(), "part", e.home.name)
	}
}
