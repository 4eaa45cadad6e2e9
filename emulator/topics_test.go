package emulator

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

func (h *harness) sns() *sns.Client {
	return sns.New(sns.Options{Region: "us-east-1", BaseEndpoint: &h.http.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
}

func (h *harness) topic(name string) *string {
	h.t.Helper()
	out, err := h.sns().CreateTopic(h.t.Context(), &sns.CreateTopicInput{Name: &name})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.TopicArn
}

// A queue and a topic take what failed, another function takes the record of it.
func TestDeadLettersAndOtherDestinations(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	dead := h.queue("dead", nil)
	topic := h.topic("failures")
	heard := h.queue("heard", nil)
	_, err := h.sns().Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: aws.String("sqs"), Endpoint: aws.String(queuePrefix + "heard")})
	if err != nil {
		t.Fatal(err)
	}
	h.Deploy("g", lambdatest.Printing())
	for name, to := range map[string]string{"q": queuePrefix + "dead", "t": *topic} {
		h.Deploy(name, func(in *lambda.CreateFunctionInput) {
			in.Environment, in.DeadLetterConfig = lambdatest.Vars("FAIL", "x"), &types.DeadLetterConfig{TargetArn: &to}
		})
		_, err := h.Lambda.PutFunctionEventInvokeConfig(t.Context(), &lambda.PutFunctionEventInvokeConfigInput{
			FunctionName: &name, MaximumRetryAttempts: aws.Int32(0), DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(lambdatest.ARN + "g")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		h.Later(name, `"x"`)
	}
	m := h.receive(dead)
	if *m.Body != `"x"` || *m.MessageAttributes["ErrorMessage"].StringValue != "told to fail" || *m.MessageAttributes["ErrorCode"].StringValue != "200" || m.MessageAttributes["RequestID"].StringValue == nil {
		t.Errorf("dead letter %+v", m)
	}
	if m := h.receive(heard); !strings.Contains(*m.Body, `"Message":"\"x\""`) {
		t.Errorf("heard %s", *m.Body)
	}
	lambdatest.WaitFor(t, "two records with the function", func() bool { return len(h.Events()) == 2 })
	if e := h.Events()[0]; !strings.Contains(e, `"condition":"RetriesExhausted"`) {
		t.Errorf("record %s", e)
	}
}

// A topic invokes the alias that is subscribed, if the function's policy lets it.
func TestTopicInvokes(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", lambdatest.Printing())
	topic := h.topic("news")
	_, err := h.sns().Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: aws.String("lambda"), Endpoint: aws.String(lambdatest.ARN + "f")})
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
	in := lambdatest.Permission("sns", "sns.amazonaws.com")
	in.SourceArn = topic
	if _, err := h.Lambda.AddPermission(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	publish("heard")
	lambdatest.WaitFor(t, "the message", func() bool { return len(h.Events()) > 0 })
	if e := h.Events(); len(e) != 1 || !strings.Contains(e[0], `"Message":"heard"`) || !strings.Contains(e[0], `"EventSource":"aws:sns"`) {
		t.Errorf("events %v", e)
	}
}
