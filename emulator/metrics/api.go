package metrics

import (
	"cmp"
	"context"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

const namespace = "http://monitoring.amazonaws.com/doc/2010-08-01/"

// Limits of GetMetricData (CloudWatch API Reference).
const (
	maxQueries    = 500
	maxDatapoints = 100_800
)

// API answers CloudWatch's operations, over each of its protocols.
func (s *Store) API() http.Handler {
	service := wire.NewService(namespace)
	wire.Handle(service, "PutMetricData", s.putMetricData)
	wire.Handle(service, "GetMetricData", s.getMetricData)
	wire.Handle(service, "GetMetricStatistics", s.getMetricStatistics)
	wire.Handle(service, "ListMetrics", s.listMetrics)
	return service
}

type putMetricData struct {
	Namespace  string
	MetricData []struct {
		MetricName      string
		Dimensions      []Dimension
		Timestamp       wire.Time
		Value           *float64
		Values          []float64
		Counts          []float64
		StatisticValues *struct{ SampleCount, Sum, Minimum, Maximum float64 }
	}
}

func (s *Store) putMetricData(_ context.Context, in *putMetricData) (struct{}, error) {
	if in.Namespace == "" || strings.HasPrefix(in.Namespace, "AWS/") {
		return struct{}{}, wire.Refuse("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")
	}
	for _, d := range in.MetricData {
		at := d.Timestamp.Time
		if at.IsZero() {
			at = s.now()
		}
		switch {
		case d.StatisticValues != nil:
			v := d.StatisticValues
			s.record(in.Namespace, d.MetricName, d.Dimensions, at, bucket{sum: v.Sum, least: v.Minimum, most: v.Maximum, count: v.SampleCount})
		case d.Value != nil:
			s.Record(in.Namespace, d.MetricName, at, *d.Value, d.Dimensions...)
		}
		for i, v := range d.Values {
			n := 1.0
			if i < len(d.Counts) {
				n = d.Counts[i]
			}
			s.record(in.Namespace, d.MetricName, d.Dimensions, at, bucket{sum: v * n, least: v, most: v, count: n, samples: []float64{v}})
		}
	}
	return struct{}{}, nil
}

type metric struct {
	Namespace  string
	MetricName string
	Dimensions []Dimension
}

type getMetricData struct {
	MetricDataQueries []metricDataQuery
	StartTime         wire.Time
	EndTime           wire.Time
	ScanBy            string
	MaxDatapoints     int
	NextToken         string
}

type metricDataQuery struct {
	Id         string //nolint:revive // AWS's name of it
	Label      string
	Expression string
	ReturnData *bool
	MetricStat *struct {
		Metric metric
		Period int
		Stat   string
	}
}

type metricDataResult struct {
	Id         string //nolint:revive // AWS's name of it
	Label      string
	StatusCode string
	Timestamps []wire.Time
	Values     []float64
}

type metricData struct {
	MetricDataResults []metricDataResult
	Messages          []struct{}
	NextToken         string `json:",omitempty"`
}

// getMetricData answers from the query that NextToken numbers on, as many as have
// room for their values.
func (s *Store) getMetricData(_ context.Context, in *getMetricData) (metricData, error) {
	if len(in.MetricDataQueries) == 0 || len(in.MetricDataQueries) > maxQueries {
		return metricData{}, wire.Refuse("ValidationError", "The collection MetricDataQueries must have a size between 1 and %d.", maxQueries)
	}
	if !in.StartTime.Before(in.EndTime.Time) {
		return metricData{}, wire.Refuse("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
	}
	begin, err := strconv.Atoi(cmp.Or(in.NextToken, "0"))
	if err != nil || begin < 0 || begin >= len(in.MetricDataQueries) {
		return metricData{}, wire.Refuse("InvalidNextToken", "The next token specified is invalid.")
	}
	most := maxDatapoints
	if in.MaxDatapoints > 0 {
		most = min(most, in.MaxDatapoints)
	}
	out := metricData{MetricDataResults: []metricDataResult{}, Messages: []struct{}{}}
	for i, q := range in.MetricDataQueries[begin:] {
		r, err := s.result(q, in)
		if err != nil {
			return metricData{}, err
		}
		if most -= len(r.Values); most < 0 && i > 0 {
			out.NextToken = strconv.Itoa(begin + i)
			break
		}
		if q.ReturnData == nil || *q.ReturnData {
			out.MetricDataResults = append(out.MetricDataResults, r)
		}
	}
	return out, nil
}

func (s *Store) result(q metricDataQuery, in *getMetricData) (metricDataResult, error) {
	if q.MetricStat == nil {
		return metricDataResult{}, wire.Refuse("ValidationError", "Error in expression '%s': the embedded AWS has no expressions", q.Id)
	}
	m := q.MetricStat
	value, err := statistic(m.Stat)
	if err != nil {
		return metricDataResult{}, err
	}
	period, err := periodOf(m.Period)
	if err != nil {
		return metricDataResult{}, err
	}
	r := metricDataResult{Id: q.Id, Label: cmp.Or(q.Label, m.Metric.MetricName), StatusCode: "Complete", Timestamps: []wire.Time{}, Values: []float64{}}
	points := s.read(keyOf(m.Metric.Namespace, m.Metric.MetricName, m.Metric.Dimensions), in.StartTime.Time, in.EndTime.Time, period)
	if in.ScanBy != "TimestampAscending" {
		slices.Reverse(points)
	}
	for _, p := range points {
		r.Timestamps, r.Values = append(r.Timestamps, wire.Time{Time: p.at}), append(r.Values, value(p.value))
	}
	return r, nil
}

// periodOf reads seconds: whole minutes, as nothing finer is kept.
func periodOf(seconds int) (time.Duration, error) {
	if seconds < 60 || seconds%60 != 0 {
		return 0, wire.Refuse("ValidationError", "The parameter Period must be a multiple of 60.")
	}
	return time.Duration(seconds) * time.Second, nil
}

// statistic returns how a statistic is computed.
func statistic(name string) (func(bucket) float64, error) {
	switch name {
	case "Sum":
		return func(b bucket) float64 { return b.sum }, nil
	case "SampleCount":
		return func(b bucket) float64 { return b.count }, nil
	case "Average":
		return func(b bucket) float64 { return b.sum / b.count }, nil
	case "Minimum":
		return func(b bucket) float64 { return b.least }, nil
	case "Maximum":
		return func(b bucket) float64 { return b.most }, nil
	}
	percent, err := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64)
	if err != nil || name[0] != 'p' || percent < 0 || percent > 100 {
		return nil, wire.Refuse("ValidationError", "The parameter Stat is invalid: %q", name)
	}
	return func(b bucket) float64 {
		if len(b.samples) == 0 {
			return b.most
		}
		values := slices.Sorted(slices.Values(b.samples))
		return values[max(0, int(math.Ceil(percent/100*float64(len(values))))-1)]
	}, nil
}

type getMetricStatistics struct {
	Namespace  string
	MetricName string
	Dimensions []Dimension
	StartTime  wire.Time
	EndTime    wire.Time
	Period     int
	Statistics []string
}

type datapoint struct {
	Timestamp   wire.Time
	SampleCount *float64 `json:",omitempty"`
	Average     *float64 `json:",omitempty"`
	Sum         *float64 `json:",omitempty"`
	Minimum     *float64 `json:",omitempty"`
	Maximum     *float64 `json:",omitempty"`
}

type metricStatistics struct {
	Label      string
	Datapoints []datapoint
}

func (s *Store) getMetricStatistics(_ context.Context, in *getMetricStatistics) (metricStatistics, error) {
	period, err := periodOf(in.Period)
	if err != nil {
		return metricStatistics{}, err
	}
	out := metricStatistics{Label: in.MetricName, Datapoints: []datapoint{}}
	for _, p := range s.read(keyOf(in.Namespace, in.MetricName, in.Dimensions), in.StartTime.Time, in.EndTime.Time, period) {
		d := datapoint{Timestamp: wire.Time{Time: p.at}}
		for name, to := range map[string]**float64{"SampleCount": &d.SampleCount, "Average": &d.Average, "Sum": &d.Sum, "Minimum": &d.Minimum, "Maximum": &d.Maximum} {
			if !slices.Contains(in.Statistics, name) {
				continue
			}
			value, err := statistic(name)
			if err != nil {
				return metricStatistics{}, err
			}
			v := value(p.value)
			*to = &v
		}
		out.Datapoints = append(out.Datapoints, d)
	}
	return out, nil
}

type listMetrics struct {
	Namespace  string
	MetricName string
	Dimensions []Dimension
	NextToken  string
}

type metrics struct {
	Metrics   []metric
	NextToken string `json:",omitempty"`
}

// maxListed is how many metrics a page has (API Reference, ListMetrics).
const maxListed = 500

func (s *Store) listMetrics(_ context.Context, in *listMetrics) (metrics, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := metrics{Metrics: []metric{}}
	for _, key := range slices.Sorted(maps.Keys(s.series)) {
		m := s.series[key]
		if key <= in.NextToken || in.Namespace != "" && m.namespace != in.Namespace || in.MetricName != "" && m.name != in.MetricName || !m.has(in.Dimensions) {
			continue
		}
		if len(out.Metrics) == maxListed {
			last := out.Metrics[maxListed-1]
			out.NextToken = keyOf(last.Namespace, last.MetricName, last.Dimensions)
			break
		}
		out.Metrics = append(out.Metrics, metric{m.namespace, m.name, m.dimensions})
	}
	return out, nil
}

// has tells whether a metric has the dimensions of a filter, in which an empty
// value stands for any.
func (m *series) has(filter []Dimension) bool {
	for _, f := range filter {
		if !slices.ContainsFunc(m.dimensions, func(d Dimension) bool { return d.Name == f.Name && (f.Value == "" || d.Value == f.Value) }) {
			return false
		}
	}
	return true
}
