package emulator

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

func (h *harness) sns() *sns.Client {
	return sns.New(sns.Options{Region: "us-east-1", BaseEndpoint: &h.http.URL, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
}

func (h *harness) topic(name string) *string {
	h.t.Helper()
	out, err := h.sns().CreateTopic(h.t.Context(), &sns.CreateTopicInput{Name: &name})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.TopicArn
}

// later invokes a function asynchronously.
func (h *harness) later(name, payload string) {
	h.t.Helper()
	if _, err := h.client.Invoke(h.t.Context(), &lambda.InvokeInput{FunctionName: &name, InvocationType: types.InvocationTypeEvent, Payload: []byte(payload)}); err != nil {
		h.t.Fatal(err)
	}
}

func TestDestinations(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.retryDelays = []delay{time.Millisecond, time.Millisecond}
	h.deploy("f", func(in *lambda.CreateFunctionInput) { in.Environment = vars("FAIL", "wrong") })
	good, bad := h.queue("good", nil), h.queue("bad", nil)
	_, err := h.client.PutFunctionEventInvokeConfig(t.Context(), &lambda.PutFunctionEventInvokeConfigInput{
		FunctionName: aws.String("f"), MaximumRetryAttempts: aws.Int32(1), DestinationConfig: &types.DestinationConfig{
			OnSuccess: &types.OnSuccess{Destination: aws.String(queuePrefix + "good")}, OnFailure: &types.OnFailure{Destination: aws.String(queuePrefix + "bad")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.later("f", `{"a":"right"}`)
	var r invocationRecord
	if err := json.Unmarshal([]byte(*h.receive(good).Body), &r); err != nil {
		t.Fatal(err)
	}
	if c := r.RequestContext; r.Version != "1.0" || c.Condition != "Success" || c.Count != 1 || c.FunctionArn != "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST" ||
		c.RequestID == "" || string(r.RequestPayload) != `{"a":"right"}` || string(r.ResponsePayload) != `{"a":"right"}` || r.ResponseContext.StatusCode != 200 || r.ResponseContext.ExecutedVersion != "$LATEST" {
		t.Errorf("record %+v", r)
	}
	h.later("f", `{"a":"wrong"}`)
	if err := json.Unmarshal([]byte(*h.receive(bad).Body), &r); err != nil {
		t.Fatal(err)
	}
	if c := r.RequestContext; c.Condition != "RetriesExhausted" || c.Count != 2 || r.ResponseContext.FunctionError != "Unhandled" || !strings.Contains(string(r.ResponsePayload), "told to fail") {
		t.Errorf("record %+v %s", r, r.ResponsePayload)
	}
}

// A queue and a topic take what failed, another function takes the record of it.
func TestDeadLettersAndOtherDestinations(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.retryDelays = nil
	dead := h.queue("dead", nil)
	topic := h.topic("failures")
	heard := h.queue("heard", nil)
	_, err := h.sns().Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: aws.String("sqs"), Endpoint: aws.String(queuePrefix + "heard")})
	if err != nil {
		t.Fatal(err)
	}
	h.deploy("g", printing())
	for name, to := range map[string]string{"q": queuePrefix + "dead", "t": *topic} {
		h.deploy(name, func(in *lambda.CreateFunctionInput) {
			in.Environment, in.DeadLetterConfig = vars("FAIL", "x"), &types.DeadLetterConfig{TargetArn: &to}
		})
		_, err := h.client.PutFunctionEventInvokeConfig(t.Context(), &lambda.PutFunctionEventInvokeConfigInput{
			FunctionName: &name, DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(h.arn("g"))}},
		})
		if err != nil {
			t.Fatal(err)
		}
		h.later(name, `"x"`)
	}
	m := h.receive(dead)
	if *m.Body != `"x"` || *m.MessageAttributes["ErrorMessage"].StringValue != "told to fail" || *m.MessageAttributes["ErrorCode"].StringValue != "200" || m.MessageAttributes["RequestID"].StringValue == nil {
		t.Errorf("dead letter %+v", m)
	}
	if m := h.receive(heard); !strings.Contains(*m.Body, `"Message":"\"x\""`) {
		t.Errorf("heard %s", *m.Body)
	}
	waitFor(t, "two records with the function", func() bool { return len(h.events()) == 2 })
	if e := h.events()[0]; !strings.Contains(e, `"condition":"RetriesExhausted"`) {
		t.Errorf("record %s", e)
	}
}

// An event that is too old when its function can be invoked at last is given up.
func TestEventAge(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.deploy("f", nil)
	ev := event{requestID: newID(), arn: h.arn("f"), traceID: traceID(nil), payload: []byte("{}")}
	q := ref{name: "f", qualifier: latest}
	in := &lambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"), MaximumEventAgeInSeconds: aws.Int32(60)}
	if _, err := h.client.PutFunctionEventInvokeConfig(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if r := h.attempt(q, ev, time.Now().Add(-time.Minute)); r.condition != conditionAge || r.attempts != 0 {
		t.Errorf("result %+v", r)
	}
	if r := h.attempt(q, ev, time.Now()); r.condition != conditionSuccess {
		t.Errorf("result %+v", r)
	}
}

func TestEventInvokeConfigs(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.deploy("f", nil)
	ctx, name := t.Context(), aws.String("f")
	get := func() (*lambda.GetFunctionEventInvokeConfigOutput, error) {
		return h.client.GetFunctionEventInvokeConfig(ctx, &lambda.GetFunctionEventInvokeConfigInput{FunctionName: name})
	}
	_, err := get()
	wantError(t, err, "ResourceNotFoundException", "The function arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST doesn't have an EventInvokeConfig")
	_, err = h.client.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: name})
	wantError(t, err, "InvalidParameterValueException", "You must specify at least one of error handling or destination setting.")
	_, err = h.client.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: name, MaximumRetryAttempts: aws.Int32(3)})
	wantError(t, err, "ValidationException", "'maximumRetryAttempts'")
	own := &types.DestinationConfig{OnSuccess: &types.OnSuccess{Destination: aws.String(h.arn("f"))}}
	_, err = h.client.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: name, DestinationConfig: own})
	wantError(t, err, "InvalidParameterValueException", "You can't specify the function as a destination for itself.")
	_, err = h.client.UpdateFunctionEventInvokeConfig(ctx, &lambda.UpdateFunctionEventInvokeConfigInput{FunctionName: name, MaximumRetryAttempts: aws.Int32(1)})
	wantError(t, err, "ResourceNotFoundException", "doesn't have an EventInvokeConfig")
	put, err := h.client.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: name, MaximumRetryAttempts: aws.Int32(0)})
	if err != nil || *put.MaximumRetryAttempts != 0 || put.MaximumEventAgeInSeconds != nil || put.DestinationConfig.OnSuccess == nil {
		t.Fatalf("put %+v, %v", put, err)
	}
	if _, err = h.client.UpdateFunctionEventInvokeConfig(ctx, &lambda.UpdateFunctionEventInvokeConfigInput{FunctionName: name, MaximumEventAgeInSeconds: aws.Int32(90)}); err != nil {
		t.Fatal(err)
	}
	got, err := get()
	if err != nil || *got.MaximumRetryAttempts != 0 || *got.MaximumEventAgeInSeconds != 90 || time.Since(*got.LastModified) > time.Hour {
		t.Errorf("got %+v, %v", got, err)
	}
	list, err := h.client.ListFunctionEventInvokeConfigs(ctx, &lambda.ListFunctionEventInvokeConfigsInput{FunctionName: name})
	if err != nil || len(list.FunctionEventInvokeConfigs) != 1 {
		t.Errorf("listed %+v, %v", list, err)
	}
	if _, err := h.client.DeleteFunctionEventInvokeConfig(ctx, &lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: name}); err != nil {
		t.Fatal(err)
	}
	_, err = h.client.DeleteFunctionEventInvokeConfig(ctx, &lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: name})
	wantError(t, err, "ResourceNotFoundException", "doesn't have an EventInvokeConfig")
}

// A topic invokes the alias that is subscribed, if the function's policy lets it.
func TestTopicInvokes(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.deploy("f", printing())
	topic := h.topic("news")
	_, err := h.sns().Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: aws.String("lambda"), Endpoint: aws.String(h.arn("f"))})
	if err != nil {
		t.Fatal(err)
	}
	publish := func(text string) {
		t.Helper()
		if _, err := h.sns().Publish(t.Context(), &sns.PublishInput{TopicArn: topic, Message: &text}); err != nil {
			t.Fatal(err)
		}
	}
	publish("dropped")
	in := permissionFor("sns", "sns.amazonaws.com")
	in.SourceArn = topic
	if _, err := h.client.AddPermission(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	publish("heard")
	waitFor(t, "the message", func() bool { return len(h.events()) > 0 })
	if e := h.events(); len(e) != 1 || !strings.Contains(e[0], `"Message":"heard"`) || !strings.Contains(e[0], `"EventSource":"aws:sns"`) {
		t.Errorf("events %v", e)
	}
}
