package usage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// fakeMetrics gives each query the same values, the second of them on a page of
// its own.
type fakeMetrics struct {
	calls, queries int
	err            error
	values         map[string][]float64 // by metric
}

func (f *fakeMetrics) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	f.calls++
	if f.err != nil {
		return nil, f.err
	}
	if len(in.MetricDataQueries) > maxQueries {
		return nil, errors.New("too many queries")
	}
	out := &cloudwatch.GetMetricDataOutput{}
	if in.NextToken == nil {
		f.queries += len(in.MetricDataQueries)
		next := "more"
		out.NextToken = &next
	}
	for _, q := range in.MetricDataQueries {
		values := f.values[*q.MetricStat.Metric.MetricName]
		if in.NextToken == nil {
			values = values[:min(1, len(values))]
		} else {
			values = values[min(1, len(values)):]
		}
		out.MetricDataResults = append(out.MetricDataResults, cwtypes.MetricDataResult{Id: q.Id, Values: values})
	}
	return out, nil
}

func newFake() *fakeMetrics {
	return &fakeMetrics{values: map[string][]float64{"Invocations": {7, 5}, "ConcurrentExecutions": {2, 3}, "Duration": {60_000, 90_000}}}
}

func TestLately(t *testing.T) {
	fake := newFake()
	m, functions := New(fake), []string{""} // what has no name is not asked for
	for i := range 600 {
		functions = append(functions, fmt.Sprintf("f%d", i))
	}
	for range 2 { // the second is remembered
		got, err := m.Lately(t.Context(), functions, time.Hour)
		if err != nil || len(got) != 600 {
			t.Fatalf("%d functions, %v", len(got), err)
		}
		for name, of := range got { // 150 s of 5 minutes
			if of.Invocations != 12 || of.Concurrency != 3 || of.Busy != .5 {
				t.Fatalf("%s: %+v", name, of)
			}
		}
		// 600 functions: one metric in two batches, two metrics in three, two pages each.
		if fake.calls != 10 || fake.queries != 1800 {
			t.Errorf("%d calls, %d queries", fake.calls, fake.queries)
		}
	}
	if got, err := New(fake).Lately(t.Context(), functions, -1); err != nil || fake.calls != 10 || got["f0"] != (Measured{}) {
		t.Errorf("asked for nothing: %d calls, %v", fake.calls, err)
	}
}

func TestLatelyWithoutAnswer(t *testing.T) {
	fake := newFake()
	fake.err = errors.New("down")
	m := New(fake)
	for first := range 3 {
		got, err := m.Lately(t.Context(), []string{"f"}, time.Hour)
		if (err != nil) != (first == 0) || !maps.Equal(got, map[string]Measured{"f": {}}) {
			t.Errorf("call %d: %v, %v", first, got, err)
		}
	}
	if fake.calls != 1 {
		t.Errorf("%d calls", fake.calls)
	}
	left, cancel := context.WithCancel(t.Context())
	cancel()
	m = New(fake)
	for range 2 { // who leaves says nothing of CloudWatch
		if _, err := m.Lately(left, []string{"f"}, time.Hour); err != nil {
			t.Error(err)
		}
	}
	if fake.calls != 3 {
		t.Errorf("%d calls", fake.calls)
	}
}

func TestPeriodsAreThoseThatAreKept(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct{ span, age, want time.Duration }{
		{5 * time.Minute, 5 * time.Minute, time.Minute}, {15 * day, 15 * day, 5 * time.Minute},
		{31 * day, 31 * day, time.Hour}, {time.Hour, 20 * day, 5 * time.Minute}, {time.Hour, 70 * day, time.Hour},
	} {
		if got := periodOf(c.span, c.age); got != c.want {
			t.Errorf("span %s, age %s: %s, want %s", c.span, c.age, got, c.want)
		}
	}
}
