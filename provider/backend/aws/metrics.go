package aws

import (
	"context"
	"errors"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// observer counts what happens between the provider and AWS; package api counts
// invocations and their answers, whatever runs the functions. Functions' names
// are labels, so only functions that exist are counted; forget removes those of
// one that is deleted.
type observer struct {
	coldStarts  *prometheus.CounterVec
	throttles   *prometheus.CounterVec
	packages    *prometheus.GaugeVec
	calls       *prometheus.CounterVec
	callSeconds *prometheus.HistogramVec
}

// newObserver makes the metrics and registers them; registry may be nil.
func newObserver(registry prometheus.Registerer) (*observer, error) {
	function := []string{"function_name", "namespace"}
	o := &observer{
		coldStarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faas_lambda_function_cold_starts_total", Help: "Invocations for which a sandbox had to be started, as bootstrap tells.",
		}, function),
		throttles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faas_lambda_function_throttles_total", Help: "Invocations that Lambda throttled.",
		}, function),
		packages: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "faas_lambda_function_package_bytes", Help: "Size of the function's package in Lambda; of container images and layers, 0.",
		}, function),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faas_lambda_aws_calls_total", Help: "Calls to AWS by service, operation and error code, which is empty for success.",
		}, []string{"service", "operation", "error"}),
		callSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "faas_lambda_aws_call_duration_seconds", Help: "Seconds that calls to AWS took, with their retries; of invocations, until the answer began.",
			Buckets: prometheus.DefBuckets,
		}, []string{"service", "operation"}),
	}
	if registry == nil {
		return o, nil
	}
	for _, c := range []prometheus.Collector{o.coldStarts, o.throttles, o.packages, o.calls, o.callSeconds} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// refused counts an invocation that Lambda did not take.
func (o *observer) refused(name backend.Name, err error) {
	switch {
	case errors.Is(err, backend.ErrNotFound):
		o.forget(name)
	case errors.Is(err, backend.ErrThrottled) && !errors.Is(err, backend.ErrUnavailable):
		o.throttles.WithLabelValues(name.Function, name.Namespace).Inc()
	}
}

// coldStart counts an invocation that a sandbox was started for.
func (o *observer) coldStart(name backend.Name) {
	o.coldStarts.WithLabelValues(name.Function, name.Namespace).Inc()
}

// packaged says how large a function's package is.
func (o *observer) packaged(name backend.Name, bytes int64) {
	o.packages.WithLabelValues(name.Function, name.Namespace).Set(float64(bytes))
}

// forget drops what is known of a function that exists no more.
func (o *observer) forget(name backend.Name) {
	o.coldStarts.DeleteLabelValues(name.Function, name.Namespace)
	o.throttles.DeleteLabelValues(name.Function, name.Namespace)
	o.packages.DeleteLabelValues(name.Function, name.Namespace)
}

// called counts a call to AWS.
func (o *observer) called(service, operation string, begin time.Time, err error) {
	o.calls.WithLabelValues(service, operation, awserr.Label(err)).Inc()
	o.callSeconds.WithLabelValues(service, operation).Observe(time.Since(begin).Seconds())
}

// watch makes every call of an SDK's client counted, and a span of the trace
// that its context is in.
func (o *observer) watch(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("FaasLambdaObserve", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
		ctx, span := tracer(ctx).Start(ctx, service+"."+operation)
		defer span.End()
		begin := time.Now()
		out, metadata, err := next.HandleInitialize(ctx, in)
		o.called(service, operation, begin, err)
		if err != nil {
			span.SetStatus(codes.Error, awserr.Label(err))
		}
		return out, metadata, err
	}), middleware.After)
}
