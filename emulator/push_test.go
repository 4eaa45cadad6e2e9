package emulator

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

// leap is a clock that jumps to whatever time is waited for, once.
type leap struct {
	mu   sync.Mutex // guards what follows
	now  time.Time
	done bool
}

func (l *leap) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *leap) Until(t time.Time) <-chan time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return nil
	}
	l.done, l.now = true, t
	ch := make(chan time.Time, 1)
	ch <- t
	return ch
}

func (h *harness) eventBridge() *eventbridge.Client {
	return eventbridge.New(eventbridge.Options{Region: "us-east-1", BaseEndpoint: &h.http.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
}

func TestScheduleInvokes(t *testing.T) {
	t.Parallel()
	h := start(t, Options{clock: &leap{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}})
	h.Deploy("f", lambdatest.Printing())
	rule := aws.String("r")
	in := lambdatest.Permission("events", "events.amazonaws.com")
	in.SourceArn = aws.String("arn:aws:events:us-east-1:000000000000:rule/r")
	if _, err := h.Lambda.AddPermission(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	// Switched off until it has a target: the clock jumps once.
	if _, err := h.eventBridge().PutRule(t.Context(), &eventbridge.PutRuleInput{Name: rule, ScheduleExpression: aws.String("rate(1 day)"), State: ebtypes.RuleStateDisabled}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.eventBridge().PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: rule, Targets: []ebtypes.Target{{Id: aws.String("x"), Arn: aws.String(lambdatest.ARN + "f")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.eventBridge().EnableRule(t.Context(), &eventbridge.EnableRuleInput{Name: rule}); err != nil {
		t.Fatal(err)
	}
	lambdatest.WaitFor(t, "the event", func() bool { return len(h.Events()) > 0 })
	if e := h.Events()[0]; !strings.Contains(e, `"detail-type":"Scheduled Event"`) || !strings.Contains(e, `"time":"2026-01-03T03:04:05Z"`) {
		t.Errorf("event %s", e)
	}
}

// A destination on the event bus is an event, which a rule's pattern finds.
func TestEventBusAsDestination(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	heard := h.queue("heard", nil)
	rule := aws.String("r")
	if _, err := h.eventBridge().PutRule(t.Context(), &eventbridge.PutRuleInput{Name: rule, EventPattern: aws.String(`{"source":["lambda"],"detail":{"requestContext":{"condition":["Success"]}}}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.eventBridge().PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: rule, Targets: []ebtypes.Target{{Id: aws.String("x"), Arn: aws.String(queuePrefix + "heard")}}}); err != nil {
		t.Fatal(err)
	}
	_, err := h.Lambda.PutFunctionEventInvokeConfig(t.Context(), &lambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"), DestinationConfig: &types.DestinationConfig{
		OnSuccess: &types.OnSuccess{Destination: aws.String("arn:aws:events:us-east-1:000000000000:event-bus/default")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	h.Later("f", `{"a":1}`)
	if m := h.receive(heard); !strings.Contains(*m.Body, "Lambda Function Invocation Result - Success") || !strings.Contains(*m.Body, `"requestPayload":{"a":1}`) {
		t.Errorf("heard %s", *m.Body)
	}
}

// A bucket invokes only where the function's policy lets it, which S3 looks at when it is told to.
func TestBucketInvokes(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", lambdatest.Printing())
	client := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &h.http.URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
	bucket := aws.String("uploads")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	notify := func(skip bool) error {
		_, err := client.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{
			Bucket: bucket, SkipDestinationValidation: &skip, NotificationConfiguration: &s3types.NotificationConfiguration{
				LambdaFunctionConfigurations: []s3types.LambdaFunctionConfiguration{{LambdaFunctionArn: aws.String(lambdatest.ARN + "f"), Events: []s3types.Event{"s3:ObjectCreated:*"}}},
			},
		})
		return err
	}
	put := func(key string) {
		t.Helper()
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
	lambdatest.WantError(t, notify(false), "InvalidArgument", "Unable to validate the following destination configurations")
	if err := notify(true); err != nil {
		t.Fatal(err)
	}
	put("dropped")
	in := lambdatest.Permission("s3", "s3.amazonaws.com")
	in.SourceArn, in.SourceAccount = aws.String("arn:aws:s3:::uploads"), aws.String("000000000000")
	if _, err := h.Lambda.AddPermission(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if err := notify(false); err != nil {
		t.Fatal(err)
	}
	put("heard")
	lambdatest.WaitFor(t, "the event", func() bool { return len(h.Events()) > 0 })
	if e := h.Events(); len(e) != 1 || !strings.Contains(e[0], `"key":"heard"`) {
		t.Errorf("events %v", e)
	}
}
