package aws

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

var (
	_ backend.Meter      = (*Backend)(nil)
	_ backend.Accountant = (*Backend)(nil)
)

const (
	// countedDays is over how many days invocations are counted: as long as a
	// Prometheus keeps what a gateway counts, by default.
	countedDays = 15
	// metricsFreshness is Options.MetricsFreshness' default: CloudWatch is paid by
	// the metric that is read, and its own are a minute late.
	metricsFreshness = 5 * time.Minute
	// metricsWait is how long a list waits for CloudWatch, and metricsPause how
	// long it is left alone after a failure. A list is right without it.
	metricsWait  = 3 * time.Second
	metricsPause = time.Minute
	// processorMB is the memory that comes with one processor
	// (docs.aws.amazon.com/lambda, "Configure Lambda function memory").
	processorMB = 1769
)

// measured is what CloudWatch said of a function.
type measured struct {
	invocations float64   // of the last countedDays
	concurrency float64   // sandboxes that served at once, at most, of the last minutes
	busy        float64   // sandboxes that served at once, on average, of the last minutes
	at          time.Time // when it said so
}

// measure completes statuses by what CloudWatch says: invocations of the last 15
// days, and more replicas where more sandboxes served at once than there shall be
// at least. Statuses that CloudWatch knows nothing of stay as they are.
func (b *Backend) measure(ctx context.Context, a *account, list []types.FunctionStatus) {
	functions := make([]string, len(list))
	for i, status := range list {
		// One that has no name in Lambda could not have been listed.
		functions[i], _ = b.lambdaName(backend.Name{Namespace: status.Namespace, Function: status.Name})
	}
	known := b.measures(ctx, a, functions)
	for i := range list {
		m := known[functions[i]]
		list[i].InvocationCount = m.invocations
		if n := uint64(m.concurrency); n > list[i].Replicas && list[i].AvailableReplicas > 0 {
			list[i].Replicas, list[i].AvailableReplicas = n, n
		}
	}
}

// measures returns what CloudWatch said lately, and asks it for what it was not
// asked lately.
func (b *Backend) measures(ctx context.Context, a *account, functions []string) map[string]measured {
	known, stale := a.measured.get(functions, b.opts.MetricsFreshness)
	if len(stale) == 0 {
		return known
	}
	ctx, cancel := context.WithTimeout(ctx, metricsWait)
	defer cancel()
	now := time.Now()
	fresh, err := a.recent(ctx, stale, now)
	if err != nil {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			a.measured.leave(now.Add(metricsPause))
			b.log.Debug("statuses lack what CloudWatch knows", "error", err)
		}
		return known
	}
	a.measured.keep(fresh)
	for function, m := range fresh {
		known[function] = m
	}
	return known
}

// recent reads what list and status show.
func (a *account) recent(ctx context.Context, functions []string, now time.Time) (map[string]measured, error) {
	counted, err := a.metricSums(ctx, functions, now.AddDate(0, 0, -countedDays), now, metricQuery{"Invocations", "Sum"})
	if err != nil {
		return nil, err
	}
	lately, err := a.metricValues(ctx, functions, now.Add(-latelyMinutes*time.Minute), now, time.Minute, metricQuery{"ConcurrentExecutions", "Maximum"}, metricQuery{"Duration", "Sum"})
	if err != nil {
		return nil, err
	}
	out := map[string]measured{}
	for _, function := range functions {
		m := measured{at: now, invocations: counted[function]["Invocations"]}
		for _, v := range lately[function]["ConcurrentExecutions"] {
			m.concurrency = max(m.concurrency, v)
		}
		for _, v := range lately[function]["Duration"] {
			m.busy += v / (latelyMinutes * 60_000)
		}
		out[function] = m
	}
	return out, nil
}

// latelyMinutes is how far back "now" reaches: Lambda's metrics come by the
// minute, some minutes late.
const latelyMinutes = 5

// Usage implements backend.Meter. Lambda does not tell what a sandbox uses of
// what it has: the memory is that of the sandboxes that served at once, at most,
// in the last five minutes, and the processors are those that they had while they
// served, on average. Both are what is paid for.
func (b *Backend) Usage(ctx context.Context, name backend.Name) (types.FunctionUsage, error) {
	f, err := b.find(ctx, name)
	if err != nil {
		return types.FunctionUsage{}, err
	}
	m := b.measures(ctx, f.account, []string{f.function()})[f.function()]
	mb := memoryOf(f.config)
	return types.FunctionUsage{CPU: m.busy * mb / processorMB * 1000, TotalMemoryBytes: m.concurrency * mb * (1 << 20)}, nil
}

func memoryOf(config lambdatypes.FunctionConfiguration) float64 {
	return float64(aws.ToInt32(config.MemorySize))
}

// Consumption implements backend.Accountant by the memory that the function has
// now. The time that Lambda bills for initialization is not in it.
func (b *Backend) Consumption(ctx context.Context, name backend.Name, since time.Time) (backend.Consumption, error) {
	f, err := b.find(ctx, name)
	if err != nil {
		return backend.Consumption{}, err
	}
	sums, err := f.account.metricSums(ctx, []string{f.function()}, since, time.Now(), metricQuery{"Invocations", "Sum"}, metricQuery{"Duration", "Sum"})
	if err != nil {
		return backend.Consumption{}, err
	}
	of := sums[f.function()]
	return backend.Consumption{
		Requests: uint64(max(0, of["Invocations"])), GBSeconds: of["Duration"] / 1000 * memoryOf(f.config) / 1024,
	}, nil
}
