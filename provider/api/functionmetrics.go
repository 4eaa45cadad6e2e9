package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// functionMetrics count invocations by function. Functions that do not exist
// leave nothing behind, so that who calls made-up names cannot fill the memory.
type functionMetrics struct {
	invocations *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	inFlight    *prometheus.GaugeVec
}

func newFunctionMetrics(registry *prometheus.Registry) *functionMetrics {
	labels := []string{"function_name", "namespace"}
	m := &functionMetrics{
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faas_lambda_function_invocations_total", Help: "Invocations by function and status code of the answer.",
		}, append(labels, "code")),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "faas_lambda_function_duration_seconds", Help: "Seconds from an invocation's start to the last byte of its answer.",
			// From a warm function's answer to Lambda's longest, 15 minutes.
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900},
		}, labels),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "faas_lambda_function_in_flight", Help: "Invocations under way.",
		}, labels),
	}
	registry.MustRegister(m.invocations, m.seconds, m.inFlight)
	return m
}

// invocation is one that is under way.
type invocation struct {
	*functionMetrics
	name  backend.Name
	gauge prometheus.Gauge
	start time.Time
}

func (m *functionMetrics) begin(name backend.Name) invocation {
	gauge := m.inFlight.WithLabelValues(name.Function, name.Namespace)
	gauge.Inc()
	return invocation{functionMetrics: m, name: name, gauge: gauge, start: time.Now()}
}

// clientGone is the code of an invocation whose client went before the answer
// came. No client sees it; nginx counts such requests so.
const clientGone = 499

// failed ends an invocation that got no answer.
func (i invocation) failed(err error) {
	if errors.Is(err, backend.ErrNotFound) {
		i.inFlight.DeleteLabelValues(i.name.Function, i.name.Namespace)
		return
	}
	if errors.Is(err, context.Canceled) {
		i.end(clientGone)
		return
	}
	i.end(status(err))
}

func (i invocation) end(code int) {
	i.gauge.Dec()
	i.invocations.WithLabelValues(i.name.Function, i.name.Namespace, strconv.Itoa(code)).Inc()
	i.seconds.WithLabelValues(i.name.Function, i.name.Namespace).Observe(time.Since(i.start).Seconds())
}

// forget drops what is known about a function that is gone.
func (m *functionMetrics) forget(name backend.Name) {
	labels := prometheus.Labels{"function_name": name.Function, "namespace": name.Namespace}
	m.invocations.DeletePartialMatch(labels)
	m.seconds.DeletePartialMatch(labels)
	m.inFlight.DeletePartialMatch(labels)
}

// body returns the answer's body, which ends the invocation when it is closed.
func (i invocation) body(answer *http.Response) io.ReadCloser {
	return &countedBody{ReadCloser: answer.Body, invocation: i, code: answer.StatusCode}
}

type countedBody struct {
	io.ReadCloser
	invocation
	code int
	once sync.Once
}

func (b *countedBody) Close() error {
	b.once.Do(func() { b.end(b.code) })
	return b.ReadCloser.Close()
}
