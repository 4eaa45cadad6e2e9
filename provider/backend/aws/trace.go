package aws

import (
	"context"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// tracer makes spans where the request's own span comes from; without one they
// cost nothing.
func tracer(ctx context.Context) trace.Tracer {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer("github.com/faas-lambda/faas-lambda/provider/backend/aws")
}

// invocationSpan is the span of one invocation.
type invocationSpan struct{ trace.Span }

func startSpan(ctx context.Context, to target) (context.Context, invocationSpan) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, invocationSpan{}
	}
	ctx, span := tracer(ctx).Start(ctx, "invoke "+to.Name.Function, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("faas.invoked_name", to.Name.Function),
		attribute.String("faas.invoked_provider", "aws"),
		attribute.String("faas.invoked_region", to.account.config.Region),
	))
	return ctx, invocationSpan{span}
}

// end closes the span with the answer's status.
func (s invocationSpan) end(code int, err error) {
	if s.Span == nil {
		return
	}
	if err != nil {
		s.SetStatus(codes.Error, err.Error())
	}
	if code > 0 {
		s.SetAttributes(attribute.String("http.response.status_code", strconv.Itoa(code)))
	}
	s.End()
}

// traceCarrier returns the headers that carry the trace into the function (W3C
// Trace Context); nil when there is none, and the client's own go on.
func traceCarrier(ctx context.Context) http.Header {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return nil
	}
	h := http.Header{}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
	return h
}

// traceHeader returns X-Ray's header for the invocation: the client's own, or
// the trace that the request is in, in X-Ray's form
// (docs.aws.amazon.com/xray, "Tracing header", "W3C trace ID").
func traceHeader(ctx context.Context, r *http.Request) string {
	if values := r.Header["X-Amzn-Trace-Id"]; len(values) > 0 {
		return values[0]
	}
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return ""
	}
	id, sampled := span.TraceID().String(), "0"
	if span.IsSampled() {
		sampled = "1"
	}
	return "Root=1-" + id[:8] + "-" + id[8:] + ";Parent=" + span.SpanID().String() + ";Sampled=" + sampled
}
