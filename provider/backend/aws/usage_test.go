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
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/usage"
)

// fakeMetrics gives each query the same values.
type fakeMetrics struct {
	err    error
	values map[string][]float64 // by metric
}

func (f *fakeMetrics) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	out := &cloudwatch.GetMetricDataOutput{}
	for _, q := range in.MetricDataQueries {
		out.MetricDataResults = append(out.MetricDataResults, cwtypes.MetricDataResult{Id: q.Id, Values: f.values[*q.MetricStat.Metric.MetricName]})
	}
	return out, f.err
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
	b.home.usage = usage.New(fake)
	return b, fake
}

func TestListShowsWhatCloudWatchKnows(t *testing.T) {
	b, _ := measuredOn(t)
	list := make([]types.FunctionStatus, 3)
	for i := range list {
		list[i] = types.FunctionStatus{Name: fmt.Sprintf("f%d", i), Namespace: "openfaas-fn", Replicas: 1, AvailableReplicas: 1}
	}
	list[0].Replicas, list[0].AvailableReplicas = 4, 4
	list[1].AvailableReplicas = 0
	b.measure(t.Context(), b.home, list)
	for i, want := range map[int][3]uint64{0: {12, 4, 4}, 1: {12, 1, 0}, 2: {12, 3, 3}} {
		if got := [3]uint64{uint64(list[i].InvocationCount), list[i].Replicas, list[i].AvailableReplicas}; got != want {
			t.Errorf("function %d: invocations, replicas, available: %v, want %v", i, got, want)
		}
	}
}

func TestListIsRightWithoutCloudWatch(t *testing.T) {
	b, fake := measuredOn(t)
	fake.err = errors.New("down")
	list := []types.FunctionStatus{{Name: "f", Namespace: "openfaas-fn", Replicas: 1, AvailableReplicas: 1}}
	b.measure(t.Context(), b.home, list)
	if list[0].InvocationCount != 0 || list[0].Replicas != 1 {
		t.Errorf("%+v", list[0])
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
