package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
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

func measuredOn(t *testing.T) (*Backend, *fakeMetrics) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"Configuration":{"FunctionName":"f","FunctionArn":"arn","State":"Active","MemorySize":512},"Tags":{%q:"f",%q:"openfaas-fn"}}`, tagService, tagNamespace)
	}))
	t.Cleanup(server.Close)
	b, err := Open(t.Context(), Options{
		Namespace: "openfaas-fn", Role: "arn:aws:iam::000000000000:role/r", Arch: "amd64", Memory: 256, Timeout: time.Minute, CodeBucket: noBucket,
		DeployTimeout: time.Second, Endpoint: server.URL, Region: "us-east-1", AccessKey: "a", SecretKey: "s", MetricsFreshness: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	fake := &fakeMetrics{values: map[string][]float64{"Invocations": {7, 5}, "ConcurrentExecutions": {2, 3}, "Duration": {60_000, 90_000}}}
	b.home.metrics = fake
	return b, fake
}

func TestListShowsWhatCloudWatchKnows(t *testing.T) {
	b, fake := measuredOn(t)
	list := make([]types.FunctionStatus, 600)
	for i := range list {
		list[i] = types.FunctionStatus{Name: fmt.Sprintf("f%d", i), Namespace: "openfaas-fn", Replicas: 1, AvailableReplicas: 1}
	}
	list[0].Replicas, list[0].AvailableReplicas = 4, 4
	list[1].AvailableReplicas = 0
	b.measure(t.Context(), b.home, list)
	for i, want := range map[int][3]uint64{0: {12, 4, 4}, 1: {12, 1, 0}, 2: {12, 3, 3}, 599: {12, 3, 3}} {
		if got := [3]uint64{uint64(list[i].InvocationCount), list[i].Replicas, list[i].AvailableReplicas}; got != want {
			t.Errorf("function %d: invocations, replicas, available: %v, want %v", i, got, want)
		}
	}
	// 600 functions: one metric in two batches, two metrics in three, two pages each.
	if fake.calls != 10 || fake.queries != 1800 {
		t.Errorf("%d calls, %d queries", fake.calls, fake.queries)
	}
	b.measure(t.Context(), b.home, list)
	if fake.calls != 10 {
		t.Errorf("%d calls after a second list", fake.calls)
	}
}

func TestListIsRightWithoutCloudWatch(t *testing.T) {
	b, fake := measuredOn(t)
	fake.err = errors.New("down")
	list := []types.FunctionStatus{{Name: "f", Namespace: "openfaas-fn", Replicas: 1, AvailableReplicas: 1}}
	for range 3 {
		b.measure(t.Context(), b.home, list)
	}
	if fake.calls != 1 || list[0].InvocationCount != 0 || list[0].Replicas != 1 {
		t.Errorf("%d calls, %+v", fake.calls, list[0])
	}
}

func TestUsageAndConsumption(t *testing.T) {
	b, _ := measuredOn(t)
	name := backend.Name{Namespace: "openfaas-fn", Function: "f"}
	usage, err := b.Usage(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	// 150 s of 5 minutes on 512 MB; three sandboxes at once.
	if want := 0.5 * 512 / 1769 * 1000; usage.TotalMemoryBytes != 3*512<<20 || usage.CPU < want-.01 || usage.CPU > want+.01 {
		t.Errorf("usage %+v", usage)
	}
	used, err := b.Consumption(t.Context(), name, time.Now().AddDate(0, -1, 0))
	if err != nil || used.Requests != 12 || used.GBSeconds != 75 {
		t.Errorf("consumption %+v, %v", used, err)
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
