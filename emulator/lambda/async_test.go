package lambda

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// next waits for what is sent to a queue.
func (h *harness) next(sent outbox, queue string) string {
	h.t.Helper()
	l := <-sent
	if l.to != queuePrefix+queue {
		h.t.Errorf("sent to %s, want %s", l.to, queue)
	}
	return l.body
}

func TestDestinations(t *testing.T) {
	t.Parallel()
	sent := make(outbox, 2)
	h := start(t, Options{Services: Services{Queues: sent}})
	h.retryDelays = []delay{time.Millisecond, time.Millisecond}
	h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.Environment = lambdatest.Vars("FAIL", "wrong") })
	_, err := h.Lambda.PutFunctionEventInvokeConfig(t.Context(), &lambda.PutFunctionEventInvokeConfigInput{
		FunctionName: aws.String("f"), MaximumRetryAttempts: aws.Int32(1), DestinationConfig: &types.DestinationConfig{
			OnSuccess: &types.OnSuccess{Destination: aws.String(queuePrefix + "good")}, OnFailure: &types.OnFailure{Destination: aws.String(queuePrefix + "bad")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Later("f", `{"a":"right"}`)
	var r invocationRecord
	if err := json.Unmarshal([]byte(h.next(sent, "good")), &r); err != nil {
		t.Fatal(err)
	}
	if c := r.RequestContext; r.Version != "1.0" || c.Condition != "Success" || c.Count != 1 || c.FunctionArn != "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST" ||
		c.RequestID == "" || string(r.RequestPayload) != `{"a":"right"}` || string(r.ResponsePayload) != `{"a":"right"}` || r.ResponseContext.StatusCode != 200 || r.ResponseContext.ExecutedVersion != "$LATEST" {
		t.Errorf("record %+v", r)
	}
	h.Later("f", `{"a":"wrong"}`)
	if err := json.Unmarshal([]byte(h.next(sent, "bad")), &r); err != nil {
		t.Fatal(err)
	}
	if c := r.RequestContext; c.Condition != "RetriesExhausted" || c.Count != 2 || r.ResponseContext.FunctionError != "Unhandled" || !strings.Contains(string(r.ResponsePayload), "told to fail") {
		t.Errorf("record %+v %s", r, r.ResponsePayload)
	}
}

// An event that is too old when its function can be invoked at last is given up.
func TestEventAge(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	ev := event{requestID: wire.NewID(), arn: h.arn("f"), traceID: traceID(nil), payload: []byte("{}")}
	q := ref{name: "f", qualifier: latest}
	in := &lambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"), MaximumEventAgeInSeconds: aws.Int32(60)}
	if _, err := h.Lambda.PutFunctionEventInvokeConfig(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if r, _ := h.attempt(q, ev, &waitingEvent{Began: time.Now().Add(-time.Minute)}); r.condition != conditionAge || r.attempts != 0 {
		t.Errorf("result %+v", r)
	}
	if r, _ := h.attempt(q, ev, &waitingEvent{Began: time.Now()}); r.condition != conditionSuccess {
		t.Errorf("result %+v", r)
	}
}

// What has failed once waits for its next attempt, and that is made by the next program where this one ends before.
func TestEventsOutliveTheProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{Dir: dir})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.Environment = lambdatest.Vars("FAIL", "x") })
	h.Later("f", `"x"`)
	waiting := func() (all []waitingEvent) {
		h.events.Lock()
		defer h.events.Unlock()
		for _, w := range h.events.All {
			all = append(all, *w)
		}
		return all
	}
	lambdatest.WaitFor(t, "the first attempt", func() bool { w := waiting(); return len(w) == 1 && w[0].Attempts == 1 })
	in := &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Environment: lambdatest.Vars("PRINT", "1")}
	if _, err := h.Lambda.UpdateFunctionConfiguration(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	h.Updated("f")
	h.stop()
	h = start(t, Options{Dir: dir})
	lambdatest.WaitFor(t, "the event", func() bool { return len(h.Events()) == 1 && len(waiting()) == 0 })
	if got := h.Events()[0]; got != `"x"` {
		t.Errorf("event %s", got)
	}
	h.stop()
	h = start(t, Options{Dir: dir})
	if w := waiting(); len(w) != 0 {
		t.Errorf("still waiting: %+v", w)
	}
}

func TestEventInvokeConfigs(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	ctx, name := t.Context(), aws.String("f")
	get := func() (*lambda.GetFunctionEventInvokeConfigOutput, error) {
		return h.Lambda.GetFunctionEventInvokeConfig(ctx, &lambda.GetFunctionEventInvokeConfigInput{FunctionName: name})
	}
	_, err := get()
	lambdatest.WantError(t, err, "ResourceNotFoundException", "The function arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST doesn't have an EventInvokeConfig")
	_, err = h.Lambda.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: name})
	lambdatest.WantError(t, err, "InvalidParameterValueException", "You must specify at least one of error handling or destination setting.")
	_, err = h.Lambda.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: name, MaximumRetryAttempts: aws.Int32(3)})
	lambdatest.WantError(t, err, "ValidationException", "'maximumRetryAttempts'")
	own := &types.DestinationConfig{OnSuccess: &types.OnSuccess{Destination: aws.String(h.arn("f"))}}
	_, err = h.Lambda.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: name, DestinationConfig: own})
	lambdatest.WantError(t, err, "InvalidParameterValueException", "You can't specify the function as a destination for itself.")
	_, err = h.Lambda.UpdateFunctionEventInvokeConfig(ctx, &lambda.UpdateFunctionEventInvokeConfigInput{FunctionName: name, MaximumRetryAttempts: aws.Int32(1)})
	lambdatest.WantError(t, err, "ResourceNotFoundException", "doesn't have an EventInvokeConfig")
	put, err := h.Lambda.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: name, MaximumRetryAttempts: aws.Int32(0)})
	if err != nil || *put.MaximumRetryAttempts != 0 || put.MaximumEventAgeInSeconds != nil || put.DestinationConfig.OnSuccess == nil {
		t.Fatalf("put %+v, %v", put, err)
	}
	if _, err = h.Lambda.UpdateFunctionEventInvokeConfig(ctx, &lambda.UpdateFunctionEventInvokeConfigInput{FunctionName: name, MaximumEventAgeInSeconds: aws.Int32(90)}); err != nil {
		t.Fatal(err)
	}
	got, err := get()
	if err != nil || *got.MaximumRetryAttempts != 0 || *got.MaximumEventAgeInSeconds != 90 || time.Since(*got.LastModified) > time.Hour {
		t.Errorf("got %+v, %v", got, err)
	}
	list, err := h.Lambda.ListFunctionEventInvokeConfigs(ctx, &lambda.ListFunctionEventInvokeConfigsInput{FunctionName: name})
	if err != nil || len(list.FunctionEventInvokeConfigs) != 1 {
		t.Errorf("listed %+v, %v", list, err)
	}
	if _, err := h.Lambda.DeleteFunctionEventInvokeConfig(ctx, &lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: name}); err != nil {
		t.Fatal(err)
	}
	_, err = h.Lambda.DeleteFunctionEventInvokeConfig(ctx, &lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: name})
	lambdatest.WantError(t, err, "ResourceNotFoundException", "doesn't have an EventInvokeConfig")
}
