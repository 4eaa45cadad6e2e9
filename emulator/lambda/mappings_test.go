package lambda

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

const queuePrefix = "arn:aws:sqs:us-east-1:000000000000:"

// outbox is all queues: it gets what is sent to them, and nothing comes out of them.
type outbox chan letter

type letter struct {
	to, body   string
	attributes map[string]string
}

func (o outbox) Send(queue, body string, attributes map[string]string) error {
	o <- letter{queue, body, attributes}
	return nil
}

func (outbox) Visibility(string) (time.Duration, bool, error) { return time.Minute, false, nil }

func (outbox) Receive(done <-chan struct{}, _ string, _ int, _ time.Duration) ([]Message, error) {
	<-done
	return nil, nil
}

func (outbox) Delete(string, []string) error { return nil }

func (outbox) Release(string, []string) error { return nil }

// What is being changed cannot be changed.
func TestMappingInUse(t *testing.T) {
	t.Parallel()
	h := start(t, Options{Services: Services{Queues: make(outbox)}})
	h.Deploy("f", nil)
	settle := make(chan struct{})
	h.beforeMapping = func() {
		select {
		case <-settle:
		case <-h.ctx.Done():
		}
	}
	out, err := h.Lambda.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{FunctionName: aws.String("f"), EventSourceArn: aws.String(queuePrefix + "q")})
	if err != nil {
		t.Fatal(err)
	}
	remove := func() error {
		_, err := h.Lambda.DeleteEventSourceMapping(t.Context(), &lambda.DeleteEventSourceMappingInput{UUID: out.UUID})
		return err
	}
	lambdatest.WantError(t, remove(), "ResourceInUseException", "in use")
	_, err = h.Lambda.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{UUID: out.UUID})
	lambdatest.WantError(t, err, "ResourceInUseException", "in use")
	close(settle)
	h.MappingIs(out.UUID, mappingEnabled)
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	lambdatest.WaitFor(t, "the mapping to be gone", func() bool { return strings.Contains(fmt.Sprint(remove()), "ResourceNotFoundException") })
}

func TestSucceeded(t *testing.T) {
	t.Parallel()
	batch := []Message{{ID: "a"}, {ID: "b"}}
	for answer, want := range map[string]int{
		``: 2, `null`: 2, `{}`: 2, `{"batchItemFailures":[]}`: 2, `{"batchItemFailures":null}`: 2, `{"batchItemFailures":[{"itemIdentifier":"a"}]}`: 1,
		`{"batchItemFailures":[{"itemIdentifier":""}]}`: 0, `{"batchItemFailures":[{}]}`: 0, `{"batchItemFailures":[{"itemIdentifier":"c"}]}`: 0, `"text"`: 0, `no`: 0,
	} {
		if got := len(succeeded(batch, []byte(answer))); got != want {
			t.Errorf("%s: %d are done, want %d", answer, got, want)
		}
	}
}

// Streams and topics are mapped, described and changed, with the members that AWS tells of each.
func TestOtherSources(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	type input = lambda.CreateEventSourceMappingInput
	for name, c := range map[string]struct {
		change func(*input)
		check  func(*lambda.GetEventSourceMappingOutput) bool
	}{
		"dynamodb": {func(in *input) {
			in.EventSourceArn, in.StartingPosition = aws.String("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1"), "TRIM_HORIZON"
			in.MaximumRetryAttempts = aws.Int32(1)
		}, func(out *lambda.GetEventSourceMappingOutput) bool {
			return *out.BatchSize == 100 && *out.MaximumRetryAttempts == 1 && *out.MaximumRecordAgeInSeconds == -1 && *out.ParallelizationFactor == 1 &&
				*out.LastProcessingResult == noRecords && *out.StateTransitionReason == "User action" && out.DestinationConfig.OnFailure != nil && out.StartingPosition == "TRIM_HORIZON"
		}},
		"kinesis": {func(in *input) {
			in.EventSourceArn, in.StartingPosition = aws.String("arn:aws:kinesis:us-east-1:000000000000:stream/s"), "LATEST"
		}, func(out *lambda.GetEventSourceMappingOutput) bool {
			return out.EventSourceMappingArn != nil && *out.TumblingWindowInSeconds == 0
		}},
		"msk": {func(in *input) {
			in.EventSourceArn, in.StartingPosition, in.Topics = aws.String("arn:aws:kafka:us-east-1:000000000000:cluster/c/1"), "LATEST", []string{"t"}
		}, func(out *lambda.GetEventSourceMappingOutput) bool {
			return *out.AmazonManagedKafkaEventSourceConfig.ConsumerGroupId == *out.UUID && out.Topics[0] == "t"
		}},
		"kafka": {func(in *input) {
			in.StartingPosition, in.Topics = "LATEST", []string{"t"}
			in.SelfManagedEventSource = &types.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": {"kafka:1000"}}}
			in.SourceAccessConfigurations = []types.SourceAccessConfiguration{{Type: "BASIC_AUTH", URI: aws.String("arn:aws:secretsmanager:us-east-1:000000000000:secret:s")}}
			in.SelfManagedKafkaEventSourceConfig = &types.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: aws.String("mine")}
		}, func(out *lambda.GetEventSourceMappingOutput) bool {
			return *out.SelfManagedKafkaEventSourceConfig.ConsumerGroupId == "mine" && out.SelfManagedEventSource.Endpoints["KAFKA_BOOTSTRAP_SERVERS"][0] == "kafka:1000" && out.EventSourceArn == nil
		}},
	} {
		in := &input{FunctionName: aws.String("f")}
		c.change(in)
		made, err := h.Lambda.CreateEventSourceMapping(t.Context(), in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		h.MappingIs(made.UUID, "Enabled")
		out, err := h.Lambda.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: made.UUID})
		if err != nil || !c.check(out) {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		if _, err := h.Lambda.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{UUID: made.UUID, BatchSize: aws.Int32(7)}); err != nil {
			t.Fatal(err)
		}
		lambdatest.WaitFor(t, "the change", func() bool {
			out, err := h.Lambda.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: made.UUID})
			return err == nil && *out.State == "Enabled" && *out.BatchSize == 7
		})
	}
	var all []string
	pages := lambda.NewListEventSourceMappingsPaginator(h.Lambda, &lambda.ListEventSourceMappingsInput{FunctionName: aws.String("f"), MaxItems: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.EventSourceMappings {
			all = append(all, *m.UUID)
		}
	}
	if len(all) != 4 {
		t.Errorf("listed %v", all)
	}
	_, err := h.Lambda.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{FunctionName: aws.String("none")})
	lambdatest.WantError(t, err, "ResourceNotFoundException", "Function not found")
}
