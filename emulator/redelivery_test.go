package emulator

import (
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

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
