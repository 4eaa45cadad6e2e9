package metrics

import (
	"errors"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
)

var begin = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

func serve(t *testing.T) (*Store, *cloudwatch.Client) {
	t.Helper()
	store := New(func() time.Time { return begin })
	s := httptest.NewServer(store.API())
	t.Cleanup(s.Close)
	return store, cloudwatch.New(cloudwatch.Options{BaseEndpoint: &s.URL, Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
}

func statOf(id, name, stat string, period int32, function string) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
		Metric: &types.Metric{Namespace: aws.String("AWS/Lambda"), MetricName: &name, Dimensions: []types.Dimension{{Name: aws.String("FunctionName"), Value: &function}}},
		Period: &period, Stat: &stat,
	}}
}

func TestMetricData(t *testing.T) {
	store, c := serve(t)
	for i, took := range []float64{10, 30, 20, 100} {
		store.Record("AWS/Lambda", "Duration", begin.Add(time.Duration(i)*40*time.Second), took, Dimension{"FunctionName", "f"})
	}
	store.Record("AWS/Lambda", "Duration", begin, 1000, Dimension{"FunctionName", "other"})
	in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(begin), EndTime: aws.Time(begin.Add(time.Hour)), ScanBy: types.ScanByTimestampAscending, MetricDataQueries: []types.MetricDataQuery{
		statOf("sum", "Duration", "Sum", 60, "f"), statOf("average", "Duration", "Average", 300, "f"), statOf("least", "Duration", "Minimum", 300, "f"), statOf("most", "Duration", "Maximum", 300, "f"),
		statOf("count", "Duration", "SampleCount", 300, "f"), statOf("median", "Duration", "p50", 300, "f"), statOf("late", "Duration", "p99", 300, "f"), statOf("none", "Duration", "Sum", 300, "nobody"),
	}}
	want := map[string][]float64{
		"sum": {40, 20, 100}, "average": {40}, "least": {10}, "most": {100}, "count": {4}, "median": {20}, "late": {100}, "none": {},
	}
	got := map[string][]float64{}
	in.MaxDatapoints = aws.Int32(4) // in several pages
	pages := cloudwatch.NewGetMetricDataPaginator(c, in)
	n := 0
	for ; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.MetricDataResults {
			got[*r.Id] = r.Values
			if len(r.Timestamps) > 0 && !r.Timestamps[0].Equal(begin) {
				t.Errorf("%s begins at %v", *r.Id, r.Timestamps[0])
			}
		}
	}
	if n < 2 {
		t.Errorf("%d pages", n)
	}
	for id, values := range want {
		if !slices.Equal(got[id], values) {
			t.Errorf("%s: %v, want %v", id, got[id], values)
		}
	}
}

func TestMetricsOfUsers(t *testing.T) {
	_, c := serve(t)
	_, err := c.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("Mine"), MetricData: []types.MetricDatum{
		{MetricName: aws.String("M"), Value: aws.Float64(2), Timestamp: &begin, Dimensions: []types.Dimension{{Name: aws.String("b"), Value: aws.String("2")}, {Name: aws.String("a"), Value: aws.String("1")}}},
		{MetricName: aws.String("M"), Values: []float64{5}, Counts: []float64{2}, Timestamp: &begin, Dimensions: []types.Dimension{{Name: aws.String("a"), Value: aws.String("1")}, {Name: aws.String("b"), Value: aws.String("2")}}},
		{MetricName: aws.String("N"), StatisticValues: &types.StatisticSet{SampleCount: aws.Float64(3), Sum: aws.Float64(9), Minimum: aws.Float64(1), Maximum: aws.Float64(5)}, Timestamp: &begin},
	}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("Mine"), MetricName: aws.String("M"), StartTime: &begin, EndTime: aws.Time(begin.Add(time.Hour)), Period: aws.Int32(3600), Statistics: []types.Statistic{types.StatisticSum, types.StatisticMaximum},
		Dimensions: []types.Dimension{{Name: aws.String("b"), Value: aws.String("2")}, {Name: aws.String("a"), Value: aws.String("1")}},
	})
	if err != nil || len(out.Datapoints) != 1 || *out.Datapoints[0].Sum != 12 || *out.Datapoints[0].Maximum != 5 || out.Datapoints[0].Average != nil {
		t.Errorf("%+v, %v", out, err)
	}
	list, err := c.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String("Mine"), Dimensions: []types.DimensionFilter{{Name: aws.String("a")}}})
	if err != nil || len(list.Metrics) != 1 || *list.Metrics[0].MetricName != "M" || len(list.Metrics[0].Dimensions) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestBadRequests(t *testing.T) {
	_, c := serve(t)
	for name, q := range map[string]types.MetricDataQuery{
		"period": statOf("m", "Duration", "Sum", 30, "f"), "statistic": statOf("m", "Duration", "Mode", 60, "f"), "expression": {Id: aws.String("e"), Expression: aws.String("m1*2")},
	} {
		_, err := c.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{StartTime: &begin, EndTime: aws.Time(begin.Add(time.Hour)), MetricDataQueries: []types.MetricDataQuery{q}})
		var refused smithy.APIError
		if !errors.As(err, &refused) || refused.ErrorCode() != "ValidationError" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
