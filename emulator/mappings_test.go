package emulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

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
