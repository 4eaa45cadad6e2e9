package aws

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/usage"
)

var (
	_ backend.Meter      = (*Backend)(nil)
	_ backend.Accountant = (*Backend)(nil)
)

const (
	// metricsFreshness is Options.MetricsFreshness' default: CloudWatch is paid by
	// the metric that is read, and its own are a minute late.
	metricsFreshness = 5 * time.Minute
	// processorMB is the memory that comes with one processor
	// (docs.aws.amazon.com/lambda, "Configure Lambda function memory").
	processorMB = 1769
)

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
		list[i].InvocationCount = m.Invocations
		if n := uint64(m.Concurrency); n > list[i].Replicas && list[i].AvailableReplicas > 0 {
			list[i].Replicas, list[i].AvailableReplicas = n, n
		}
	}
}

// measures returns what CloudWatch said lately of functions, as far as it did.
func (b *Backend) measures(ctx context.Context, a *account, functions []string) map[string]usage.Measured {
	known, err := a.usage.Lately(ctx, functions, b.opts.MetricsFreshness)
	if err != nil {
		b.log.Debug("statuses lack what CloudWatch knows", "error", err)
	}
	return known
}

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
	return types.FunctionUsage{CPU: m.Busy * mb / processorMB * 1000, TotalMemoryBytes: m.Concurrency * mb * (1 << 20)}, nil
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
	invocations, seconds, err := f.account.usage.Total(ctx, f.function(), since)
	if err != nil {
		return backend.Consumption{}, err
	}
	return backend.Consumption{Requests: uint64(max(0, invocations)), GBSeconds: seconds * memoryOf(f.config) / 1024}, nil
}
