package aws

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// observer counts what happens between the provider and AWS. Functions' names
// are labels, so only functions that exist are counted; forget removes those of
// one that is deleted.
type observer struct {
	invocations *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	coldStarts  *prometheus.CounterVec
	throttles   *prometheus.CounterVec
	calls       *prometheus.CounterVec
	callSeconds *prometheus.HistogramVec
}

// newObserver makes the metrics and registers them; registry may be nil.
func newObserver(registry prometheus.Registerer) (*observer, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "faas_lambda_" + name, Help: help}, labels)
	}
	o := &observer{
		invocations: counter("function_invocations_total", "Invocations by function and status code of the answer.", "function_name", "code"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "faas_lambda_function_duration_seconds", Help: "Seconds from the request to the end of the function's answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900},
		}, []string{"function_name"}),
		coldStarts: counter("function_cold_starts_total", "Invocations that were the first of their sandbox.", "function_name"),
		throttles:  counter("function_throttles_total", "Invocations that Lambda throttled.", "function_name"),
		calls:      counter("aws_calls_total", "Calls to AWS by service, operation and error code, which is empty for success.", "service", "operation", "error"),
		callSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "faas_lambda_aws_call_duration_seconds", Help: "Seconds that calls to AWS took, with their retries; of invocations, until the answer began.",
			Buckets: prometheus.DefBuckets,
		}, []string{"service", "operation"}),
	}
	if registry == nil {
		return o, nil
	}
	for _, c := range []prometheus.Collector{o.invocations, o.seconds, o.coldStarts, o.throttles, o.calls, o.callSeconds} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// invoked counts an invocation that is over.
func (o *observer) invoked(to target, begin time.Time, code int, err error) {
	name := to.name.String()
	if err != nil && code == 0 {
		code = http.StatusInternalServerError
		for _, k := range []struct {
			kind error
			code int
		}{
			{context.Canceled, 499}, // the client is gone
			{backend.ErrThrottled, http.StatusTooManyRequests}, {backend.ErrTimeout, http.StatusGatewayTimeout},
			{backend.ErrUnavailable, http.StatusServiceUnavailable}, {backend.ErrTooLarge, http.StatusRequestEntityTooLarge},
			{backend.ErrInvalid, http.StatusBadRequest}, {backend.ErrNotFound, http.StatusNotFound},
		} {
			if errors.Is(err, k.kind) {
				code = k.code
				break
			}
		}
	}
	if code == http.StatusNotFound && err != nil {
		o.forget(to.name)
		return
	}
	if code == http.StatusTooManyRequests && err != nil {
		o.throttles.WithLabelValues(name).Inc()
	}
	o.invocations.WithLabelValues(name, strconv.Itoa(code)).Inc()
	o.seconds.WithLabelValues(name).Observe(time.Since(begin).Seconds())
}

// forget drops what is known of a function that exists no more.
func (o *observer) forget(name backend.Name) {
	labels := prometheus.Labels{"function_name": name.String()}
	for _, c := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{o.invocations, o.seconds, o.coldStarts, o.throttles} {
		c.DeletePartialMatch(labels)
	}
}

// called counts a call to AWS.
func (o *observer) called(service, operation string, begin time.Time, err error) {
	o.calls.WithLabelValues(service, operation, errorCode(err)).Inc()
	o.callSeconds.WithLabelValues(service, operation).Observe(time.Since(begin).Seconds())
}

// errorCode is AWS's code for err, or a word for an error that is not AWS's.
func errorCode(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return "Canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "DeadlineExceeded"
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return "ConnectionFailed"
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
			span.SetStatus(codes.Error, errorCode(err))
		}
		return out, metadata, err
	}), middleware.After)
}
