package emulator

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
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

func (h *harness) url(ctx context.Context, queue string) *string {
	out, err := h.sqs().GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &queue})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.QueueUrl
}
