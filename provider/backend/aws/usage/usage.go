// Package usage reads from CloudWatch how much functions of one account were used:
// what Lambda counts by function. It knows functions by their names in Lambda and
// nothing else of them, and puts no metrics anywhere.
package usage

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
)

const (
	// countedDays is over how many days invocations are counted: as long as a
	// Prometheus keeps what a gateway counts, by default.
	countedDays = 15
	// wait is how long a list waits for CloudWatch, and pauseAfter how long it is
	// left alone after a failure. A list is right without it.
	wait       = 3 * time.Second
	pauseAfter = time.Minute
	// latelyMinutes is how far back "now" reaches: Lambda's metrics come by the
	// minute, some minutes late.
	latelyMinutes = 5
	// maxKept bounds the functions that are remembered.
	maxKept = 10_000
)

// Meter reads the metrics of one account's functions, and remembers what it read. It
// may be used concurrently.
type Meter struct {
	client cloudwatch.GetMetricDataAPIClient

	mu    sync.Mutex // guards the rest
	all   map[string]Measured
	pause time.Time // before it nothing is asked
}

// New returns a meter that remembers nothing yet.
func New(client cloudwatch.GetMetricDataAPIClient) *Meter { return &Meter{client: client} }

// Measured is what CloudWatch said of a function.
type Measured struct {
	Invocations float64 // of the last 15 days
	Concurrency float64 // sandboxes that served at once, at most, of the last five minutes
	Busy        float64 // sandboxes that served at once, on average, of the last five minutes

	at time.Time // when it said so
}

// Lately returns what CloudWatch said of functions no longer than freshness ago, and
// asks it, for three seconds at most, about those of which it said nothing since; a
// freshness that is not positive asks about none. What is not known is zeros. An error
// is that of CloudWatch, which is then left alone for a minute; what is known comes
// with it.
func (m *Meter) Lately(ctx context.Context, functions []string, freshness time.Duration) (map[string]Measured, error) {
	known, stale := m.known(functions, freshness)
	if len(stale) == 0 {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	now := time.Now()
	fresh, err := m.recent(ctx, stale, now)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return known, nil // whoever asked has left
		}
		m.leave(now.Add(pauseAfter))
		return known, err
	}
	m.keep(fresh)
	maps.Copy(known, fresh)
	return known, nil
}

// Total returns how often a function was invoked since then, and for how many seconds
// its invocations ran, without initialization.
func (m *Meter) Total(ctx context.Context, function string, since time.Time) (invocations, seconds float64, err error) {
	sums, err := m.sums(ctx, []string{function}, since, time.Now(), query{"Invocations", "Sum"}, query{"Duration", "Sum"})
	if err != nil {
		return 0, 0, err
	}
	return sums[function]["Invocations"], sums[function]["Duration"] / 1000, nil
}

// recent reads what list and status show.
func (m *Meter) recent(ctx context.Context, functions []string, now time.Time) (map[string]Measured, error) {
	counted, err := m.sums(ctx, functions, now.AddDate(0, 0, -countedDays), now, query{"Invocations", "Sum"})
	if err != nil {
		return nil, err
	}
	lately, err := m.values(ctx, functions, now.Add(-latelyMinutes*time.Minute), now, time.Minute, query{"ConcurrentExecutions", "Maximum"}, query{"Duration", "Sum"})
	if err != nil {
		return nil, err
	}
	out := map[string]Measured{}
	for _, function := range functions {
		one := Measured{at: now, Invocations: counted[function]["Invocations"]}
		for _, v := range lately[function]["ConcurrentExecutions"] {
			one.Concurrency = max(one.Concurrency, v)
		}
		for _, v := range lately[function]["Duration"] {
			one.Busy += v / (latelyMinutes * 60_000)
		}
		out[function] = one
	}
	return out, nil
}

// known returns what is known, and of which functions that is too old.
func (m *Meter) known(functions []string, freshness time.Duration) (known map[string]Measured, stale []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	known = make(map[string]Measured, len(functions))
	for _, function := range functions {
		if function == "" {
			continue
		}
		known[function] = m.all[function]
		if freshness > 0 && now.Sub(m.all[function].at) > freshness && now.After(m.pause) {
			stale = append(stale, function)
		}
	}
	return known, stale
}

func (m *Meter) keep(fresh map[string]Measured) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil || len(m.all) > maxKept {
		m.all = map[string]Measured{}
	}
	maps.Copy(m.all, fresh)
}

func (m *Meter) leave(until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pause = until
}
