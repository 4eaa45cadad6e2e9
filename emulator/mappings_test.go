package emulator

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

func (h *harness) sqs() *sqs.Client {
	return sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &h.http.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
}

const queuePrefix = "arn:aws:sqs:us-east-1:000000000000:"

// queue makes one and returns its URL.
func (h *harness) queue(name string, attributes map[string]string) *string {
	h.t.Helper()
	out, err := h.sqs().CreateQueue(h.t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.QueueUrl
}

func (h *harness) sendTo(url *string, bodies ...string) {
	h.t.Helper()
	for _, body := range bodies {
		if _, err := h.sqs().SendMessage(h.t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body}); err != nil {
			h.t.Fatal(err)
		}
	}
}

// count is how many messages a queue has, those in flight included.
func (h *harness) count(url *string) string {
	h.t.Helper()
	names := []sqstypes.QueueAttributeName{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"}
	out, err := h.sqs().GetQueueAttributes(h.t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: names})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Attributes["ApproximateNumberOfMessages"] + "+" + out.Attributes["ApproximateNumberOfMessagesNotVisible"]
}

// receive waits for one message.
func (h *harness) receive(url *string) sqstypes.Message {
	h.t.Helper()
	out, err := h.sqs().ReceiveMessage(h.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20, MessageAttributeNames: []string{"All"}})
	if err != nil || len(out.Messages) != 1 {
		h.t.Fatalf("received %v, %v", out, err)
	}
	return out.Messages[0]
}

// mapQueue maps a queue to a function and waits until it is read.
func (h *harness) mapQueue(function, queue string, change ...func(*lambda.CreateEventSourceMappingInput)) *string {
	h.t.Helper()
	in := &lambda.CreateEventSourceMappingInput{FunctionName: &function, EventSourceArn: aws.String(queuePrefix + queue)}
	for _, c := range change {
		c(in)
	}
	out, err := h.Lambda.CreateEventSourceMapping(h.t.Context(), in)
	if err != nil {
		h.t.Fatal(err)
	}
	if *out.State != "Creating" {
		h.t.Errorf("created %s", *out.State)
	}
	h.MappingIs(out.UUID, "Enabled")
	return out.UUID
}

// bodiesOf are the messages of the batches that came, each batch in brackets.
func (h *harness) bodiesOf() string {
	var out strings.Builder
	for _, payload := range h.Events() {
		var e events.SQSEvent
		if json.Unmarshal([]byte(payload), &e) != nil {
			continue
		}
		var bodies []string
		for _, r := range e.Records {
			bodies = append(bodies, r.Body)
		}
		fmt.Fprint(&out, bodies)
	}
	return out.String()
}

func TestQueueInvokes(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", lambdatest.Printing())
	url := h.queue("q", nil)
	_, err := h.sqs().SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("hello"), MessageAttributes: map[string]sqstypes.MessageAttributeValue{
		"kind": {DataType: aws.String("String"), StringValue: aws.String("a")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	h.mapQueue("f", "q")
	lambdatest.WaitFor(t, "the message to be done with", func() bool { return h.count(url) == "0+0" })
	var e events.SQSEvent
	if err := json.Unmarshal([]byte(h.Events()[0]), &e); err != nil || len(e.Records) != 1 {
		t.Fatalf("events %v, %v", h.Events(), err)
	}
	r := e.Records[0]
	kind := r.MessageAttributes["kind"]
	if r.Body != "hello" || r.Md5OfBody != "5d41402abc4b2a76b9719d911017c592" || r.EventSource != "aws:sqs" || r.EventSourceARN != queuePrefix+"q" || r.AWSRegion != "us-east-1" ||
		r.ReceiptHandle == "" || r.Attributes["ApproximateReceiveCount"] != "1" || *kind.StringValue != "a" || kind.DataType != "String" {
		t.Errorf("record %s", h.Events()[0])
	}
}

// Many messages come in batches of a size that was asked for, however long the window.
func TestBatchesFillUp(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", lambdatest.Printing())
	url := h.queue("q", nil)
	for i := range 24 {
		h.sendTo(url, fmt.Sprint(i))
	}
	h.mapQueue("f", "q", func(in *lambda.CreateEventSourceMappingInput) {
		in.BatchSize, in.MaximumBatchingWindowInSeconds = aws.Int32(12), aws.Int32(300)
		in.ScalingConfig = &types.ScalingConfig{MaximumConcurrency: aws.Int32(2)}
	})
	lambdatest.WaitFor(t, "all messages", func() bool { return h.count(url) == "0+0" })
	for _, payload := range h.Events() {
		if n := strings.Count(payload, `"messageId"`); n != 12 {
			t.Errorf("a batch of %d", n)
		}
	}
}

// byHand is a clock that is set.
type byHand struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *byHand) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (*byHand) Until(time.Time) <-chan time.Time { return nil }

// pass lets a queue's visibility timeout pass, and those who wait for its messages look again.
func (h *harness) pass(c *byHand, url *string) {
	h.t.Helper()
	c.mu.Lock()
	c.now = c.now.Add(time.Hour)
	c.mu.Unlock()
	in := &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"VisibilityTimeout": "600"}}
	if _, err := h.sqs().SetQueueAttributes(h.t.Context(), in); err != nil {
		h.t.Fatal(err)
	}
}

// Messages of a group come one after the other, whatever other groups do.
func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", lambdatest.Printing())
	url := h.queue("q.fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	h.mapQueue("f", "q.fifo", func(in *lambda.CreateEventSourceMappingInput) { in.BatchSize = aws.Int32(1) })
	for i := range 4 {
		for _, group := range []string{"a", "b"} {
			in := &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String(fmt.Sprint(group, i)), MessageGroupId: &group}
			if _, err := h.sqs().SendMessage(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
	}
	lambdatest.WaitFor(t, "all messages", func() bool { return h.count(url) == "0+0" })
	got := h.bodiesOf()
	for _, group := range []string{"a", "b"} {
		at := -1
		for i := range 4 {
			next := strings.Index(got, fmt.Sprintf("[%s%d]", group, i))
			if next <= at {
				t.Fatalf("batches %s", got)
			}
			at = next
		}
	}
}

// What a partial answer names comes again, and goes to the dead letters in the end; the rest is done.
func TestPartialAnswers(t *testing.T) {
	t.Parallel()
	clock := &byHand{now: time.Now()}
	h := start(t, Options{clock: clock})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.Environment = lambdatest.Vars("PARTIAL", "bad") })
	dead := h.queue("dead", nil)
	url := h.queue("q", map[string]string{"VisibilityTimeout": "600", "RedrivePolicy": `{"deadLetterTargetArn":"` + queuePrefix + `dead","maxReceiveCount":1}`})
	h.mapQueue("f", "q", func(in *lambda.CreateEventSourceMappingInput) {
		in.FunctionResponseTypes = []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures}
	})
	h.sendTo(url, "good", "bad", "fine")
	lambdatest.WaitFor(t, "the good messages to be done with", func() bool { return h.count(url) == "0+1" })
	h.pass(clock, url)
	lambdatest.WaitFor(t, "the bad message among the dead letters", func() bool { return h.count(url) == "0+0" && h.count(dead) == "1+0" })
	if m := h.receive(dead); *m.Body != "bad" {
		t.Errorf("dead letter %s", *m.Body)
	}
}

// Without a partial answer a failure brings the whole batch back.
func TestFailedBatchComesAgain(t *testing.T) {
	t.Parallel()
	clock := &byHand{now: time.Now()}
	h := start(t, Options{clock: clock})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) {
		in.Environment = lambdatest.Vars("FAIL", `"ApproximateReceiveCount":"1"`)
		in.Environment.Variables["PRINT"] = "1"
	})
	url := h.queue("q", map[string]string{"VisibilityTimeout": "600"})
	h.mapQueue("f", "q")
	h.sendTo(url, "x")
	lambdatest.WaitFor(t, "the first attempt", func() bool { return h.bodiesOf() == "[x]" })
	h.pass(clock, url)
	lambdatest.WaitFor(t, "the message to be done with", func() bool { return h.count(url) == "0+0" })
	if got := h.bodiesOf(); got != "[x][x]" {
		t.Errorf("batches %s", got)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", lambdatest.Printing())
	url := h.queue("q", nil)
	h.mapQueue("f", "q", func(in *lambda.CreateEventSourceMappingInput) {
		in.FilterCriteria = &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"body":{"kind":["a"]}}`)}, {Pattern: aws.String(`{"body":[{"prefix":"raw"}]}`)}}}
	})
	h.sendTo(url, `{"kind":"b"}`, "text", `{"kind":"a"}`, "raw text")
	lambdatest.WaitFor(t, "all messages to be done with", func() bool { return h.count(url) == "0+0" })
	if got := h.bodiesOf(); strings.Count(got, "kind") != 1 || !strings.Contains(got, `{"kind":"a"}`) || !strings.Contains(got, "raw text") || strings.Contains(got, "[text") {
		t.Errorf("batches %s", got)
	}
}

// A throttled batch waits, and a mapping that is switched off gives it back.
func TestMappingIsSwitched(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", lambdatest.Printing())
	if err := h.Reserve("f", 0); err != nil {
		t.Fatal(err)
	}
	url := h.queue("q", map[string]string{"VisibilityTimeout": "600"})
	id := h.mapQueue("f", "q")
	h.sendTo(url, "x")
	lambdatest.WaitFor(t, "the message in flight", func() bool { return h.count(url) == "0+1" })
	update := func(enabled bool, state string) {
		t.Helper()
		out, err := h.Lambda.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{UUID: id, Enabled: &enabled, BatchSize: aws.Int32(3)})
		if err != nil || *out.State != state || *out.BatchSize != 3 {
			t.Fatalf("updated %+v, %v", out, err)
		}
	}
	update(false, "Disabling")
	h.MappingIs(id, "Disabled")
	if got := h.count(url); got != "1+0" {
		t.Errorf("%s messages", got)
	}
	if err := h.Reserve("f", 5); err != nil {
		t.Fatal(err)
	}
	update(true, "Enabling")
	h.MappingIs(id, "Enabled")
	lambdatest.WaitFor(t, "the message to be done with", func() bool { return h.count(url) == "0+0" })
}

// The words are recorded from the real service, but for queues.
func TestMappingErrors(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	h.queue("q", nil)
	h.queue("short", map[string]string{"VisibilityTimeout": "5"})
	h.queue("q.fifo", map[string]string{"FifoQueue": "true"})
	h.mapQueue("f", "q")
	stream := aws.String("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000")
	type input = lambda.CreateEventSourceMappingInput
	for name, c := range map[string]struct {
		change        func(*input)
		code, message string
	}{
		"no source":   {func(in *input) { in.EventSourceArn = nil }, "InvalidParameterValueException", "Unrecognized event source."},
		"no function": {func(in *input) { in.FunctionName = aws.String("none") }, "InvalidParameterValueException", "Function does not exist"},
		"destination": {func(in *input) {
			in.DestinationConfig = &types.DestinationConfig{OnSuccess: &types.OnSuccess{Destination: aws.String(queuePrefix + "q")}}
		}, "InvalidParameterValueException", "Unsupported DestinationConfig parameter for given event source mapping type."},
		"position": {func(in *input) { in.EventSourceArn = stream }, "InvalidParameterValueException",
			"1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null."},
		"odd position": {func(in *input) { in.EventSourceArn, in.StartingPosition = stream, "invalid" }, "ValidationException",
			"Value 'invalid' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"},
		"time of a table": {func(in *input) { in.EventSourceArn, in.StartingPosition = stream, "AT_TIMESTAMP" }, "InvalidParameterValueException",
			"Unsupported starting position for arn type: " + *stream},
		"access": {func(in *input) {
			in.EventSourceArn, in.StartingPosition, in.Topics = nil, "LATEST", []string{"t"}
			in.SelfManagedEventSource = &types.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": {"kafka:1000"}}}
		}, "InvalidParameterValueException", "Required 'sourceAccessConfigurations' parameter is missing."},
		"filter": {func(in *input) {
			in.FilterCriteria = &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"a":"b"}`)}}}
		}, "InvalidParameterValueException", "Invalid filter pattern definition."},
		"no queue": {func(in *input) { in.EventSourceArn = aws.String(queuePrefix + "none") }, "InvalidParameterValueException", "AWS.SimpleQueueService.NonExistentQueue"},
		"a short timeout": {func(in *input) { in.EventSourceArn = aws.String(queuePrefix + "short") }, "InvalidParameterValueException",
			"Queue visibility timeout: 5 seconds is less than Function timeout: 20 seconds"},
		"no window": {func(in *input) { in.BatchSize = aws.Int32(11) }, "InvalidParameterValueException", "Maximum batch window in seconds must be greater than 0"},
		"an order": {func(in *input) {
			in.EventSourceArn, in.MaximumBatchingWindowInSeconds = aws.String(queuePrefix+"q.fifo"), aws.Int32(1)
		}, "InvalidParameterValueException", "FIFO"},
		"size":  {func(in *input) { in.BatchSize = aws.Int32(10001) }, "ValidationException", "Value '10001' at 'batchSize'"},
		"twice": {func(*input) {}, "ResourceConflictException", "already exists. Please update or delete the existing mapping with UUID"},
	} {
		t.Run(name, func(t *testing.T) {
			in := &input{FunctionName: aws.String("f"), EventSourceArn: aws.String(queuePrefix + "q")}
			c.change(in)
			_, err := h.Lambda.CreateEventSourceMapping(t.Context(), in)
			lambdatest.WantError(t, err, c.code, c.message)
		})
	}
	id := aws.String("00000000-0000-0000-0000-000000000000")
	_, err := h.Lambda.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: id})
	lambdatest.WantError(t, err, "ResourceNotFoundException", "The resource you requested does not exist.")
}

func TestMappingsOutliveTheProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{DataDir: dir})
	h.Deploy("f", lambdatest.Printing())
	h.queue("q", nil)
	id := h.mapQueue("f", "q", func(in *lambda.CreateEventSourceMappingInput) { in.Tags = map[string]string{"k": "v"} })
	h.stop()
	h = start(t, Options{DataDir: dir})
	url := h.url(t.Context(), "q")
	h.sendTo(url, "after")
	lambdatest.WaitFor(t, "the message to be done with", func() bool { return h.count(url) == "0+0" && len(h.Events()) == 1 })
	tags, err := h.Lambda.ListTags(t.Context(), &lambda.ListTagsInput{Resource: aws.String("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:" + *id)})
	if err != nil || tags.Tags["k"] != "v" {
		t.Errorf("tags %v, %v", tags, err)
	}
}

func (h *harness) url(ctx context.Context, queue string) *string {
	out, err := h.sqs().GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &queue})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.QueueUrl
}
