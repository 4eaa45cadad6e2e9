package usage

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// query is one of Lambda's metrics by function, and how it is put together.
type query struct{ name, stat string }

// maxQueries is how many GetMetricData takes at a time (CloudWatch API reference).
const maxQueries = 500

// sums returns the sums of metrics from one time to another, by function
// and metric.
func (m *Meter) sums(ctx context.Context, functions []string, from, to time.Time, queries ...query) (map[string]map[string]float64, error) {
	values, err := m.values(ctx, functions, from, to, periodOf(to.Sub(from), to.Sub(from)), queries...)
	if err != nil {
		return nil, err
	}
	sums := map[string]map[string]float64{}
	for function, by := range values {
		sums[function] = map[string]float64{}
		for metric, list := range by {
			for _, v := range list {
				sums[function][metric] += v
			}
		}
	}
	return sums, nil
}

// periodOf is the step in which a span is read. Metrics of the last 15 days are
// kept by the minute, up to 63 days by five minutes, then by the hour
// (GetMetricData, Period).
func periodOf(span, age time.Duration) time.Duration {
	const day = 24 * time.Hour
	switch {
	case span <= 3*time.Hour && age < 15*day:
		return time.Minute
	case span <= 15*day && age < 63*day:
		return 5 * time.Minute
	}
	return time.Hour
}

// values returns the values of metrics, by function and metric. A function
// that nobody invoked has none.
func (m *Meter) values(ctx context.Context, functions []string, from, to time.Time, period time.Duration, queries ...query) (map[string]map[string][]float64, error) {
	out := make(map[string]map[string][]float64, len(functions))
	type asked struct{ function, metric string }
	for each := maxQueries / len(queries); len(functions) > 0; {
		some := functions[:min(each, len(functions))]
		functions = functions[len(some):]
		in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(from.Truncate(period)), EndTime: &to, ScanBy: cwtypes.ScanByTimestampAscending}
		by := map[string]asked{}
		for i, function := range some {
			out[function] = map[string][]float64{}
			for j, q := range queries {
				id := fmt.Sprintf("m%d_%d", i, j)
				by[id] = asked{function, q.name}
				in.MetricDataQueries = append(in.MetricDataQueries, q.of(id, function, period))
			}
		}
		pages := cloudwatch.NewGetMetricDataPaginator(m.client, in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if awserr.Status(err, http.StatusNotFound) { // no answer of CloudWatch's
				return nil, backend.Errorf(backend.ErrUnsupported, "read metrics: there is no CloudWatch at this endpoint")
			}
			if err != nil {
				return nil, awserr.Wrap("read metrics", err)
			}
			for _, r := range page.MetricDataResults { // values of one come in several pages
				if at, ok := by[aws.ToString(r.Id)]; ok {
					out[at.function][at.metric] = append(out[at.function][at.metric], r.Values...)
				}
			}
		}
	}
	return out, nil
}

func (q query) of(id, function string, period time.Duration) cwtypes.MetricDataQuery {
	return cwtypes.MetricDataQuery{Id: &id, MetricStat: &cwtypes.MetricStat{
		Metric: &cwtypes.Metric{
			Namespace: aws.String("AWS/Lambda"), MetricName: &q.name,
			Dimensions: []cwtypes.Dimension{{Name: aws.String("FunctionName"), Value: &function}},
		},
		Period: aws.Int32(int32(period.Seconds())), Stat: &q.stat,
	}}
}
