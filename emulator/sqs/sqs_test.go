package sqs

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// clock is set by hand.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is a store with a client.
type bench struct {
	*testing.T
	store  *Store
	client *sqs.Client
	clock  *clock
	dir    string
}

func open(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, dir: t.TempDir()}
	b.serve()
	return b
}

// serve starts the store, anew if there was one.
func (b *bench) serve() {
	b.Helper()
	var err error
	if b.store, err = Open(Options{Dir: b.dir, Account: "123456789012", Region: "eu-west-1", Now: b.clock.Now}); err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(b.store.API())
	b.Cleanup(server.Close)
	b.client = sqs.New(sqs.Options{BaseEndpoint: &server.URL, Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
}

func (b *bench) create(name string, attributes map[string]string) *string {
	b.Helper()
	out, err := b.client.CreateQueue(b.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		b.Fatal(err)
	}
	return out.QueueUrl
}

func (b *bench) send(url *string, body string, change ...func(*sqs.SendMessageInput)) *sqs.SendMessageOutput {
	b.Helper()
	in := &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body}
	for _, c := range change {
		c(in)
	}
	out, err := b.client.SendMessage(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// receive takes up to ten messages.
func (b *bench) receive(url *string, change ...func(*sqs.ReceiveMessageInput)) []types.Message {
	b.Helper()
	in := &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	}
	for _, c := range change {
		c(in)
	}
	out, err := b.client.ReceiveMessage(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	return out.Messages
}

func (b *bench) remove(url *string, messages ...types.Message) {
	b.Helper()
	for _, m := range messages {
		if _, err := b.client.DeleteMessage(b.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}); err != nil {
			b.Fatal(err)
		}
	}
}

func bodies(messages []types.Message) string {
	var all []string
	for _, m := range messages {
		all = append(all, *m.Body)
	}
	return strings.Join(all, " ")
}

func wantCode(t *testing.T, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), message) {
		t.Errorf("error = %v, want %s %s", err, code, message)
	}
}

// The SDK itself checks the MD5 of bodies and attributes, in both directions.
func TestMessagesComeAndGo(t *testing.T) {
	b := open(t)
	url := b.create("q", nil)
	sent := b.send(url, "one", func(in *sqs.SendMessageInput) {
		in.MessageAttributes = map[string]types.MessageAttributeValue{
			"kind":  {DataType: aws.String("String"), StringValue: aws.String("a")},
			"count": {DataType: aws.String("Number.int"), StringValue: aws.String("7")},
			"bytes": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
		}
	})
	got := b.receive(url)
	if len(got) != 1 || *got[0].MessageId != *sent.MessageId || *got[0].Body != "one" || *got[0].MD5OfMessageAttributes != *sent.MD5OfMessageAttributes {
		t.Fatalf("received %+v, sent %+v", got, sent)
	}
	if a := got[0].Attributes; a["ApproximateReceiveCount"] != "1" || a["SentTimestamp"] != "1767323045000" || a["SenderId"] != "id" {
		t.Errorf("attributes %v", a)
	}
	if again := b.receive(url); len(again) != 0 {
		t.Errorf("it is still in sight: %v", again)
	}
	b.clock.advance(30 * time.Second)
	again := b.receive(url)
	if len(again) != 1 || again[0].Attributes["ApproximateReceiveCount"] != "2" || *again[0].ReceiptHandle == *got[0].ReceiptHandle {
		t.Fatalf("after its visibility timeout: %+v", again)
	}
	b.remove(url, got[0]) // an old receipt: nothing
	b.clock.advance(30 * time.Second)
	last := b.receive(url)
	b.remove(url, last...)
	b.clock.advance(time.Hour)
	if left := b.receive(url); len(left) != 0 {
		t.Errorf("deleted, but received: %v", left)
	}
}

func TestVisibilityIsChanged(t *testing.T) {
	b := open(t)
	url := b.create("q", map[string]string{"VisibilityTimeout": "60"})
	b.send(url, "one")
	got := b.receive(url)[0]
	change := func(seconds int32) error {
		_, err := b.client.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: got.ReceiptHandle, VisibilityTimeout: seconds})
		return err
	}
	if err := change(600); err != nil {
		t.Fatal(err)
	}
	b.clock.advance(599 * time.Second)
	if len(b.receive(url)) != 0 {
		t.Error("in sight too early")
	}
	if err := change(0); err != nil {
		t.Fatal(err)
	}
	wantCode(t, change(5), "AWS.SimpleQueueService.MessageNotInflight", "")
	if got := bodies(b.receive(url)); got != "one" {
		t.Errorf("received %q", got)
	}
	wantCode(t, change(43201), "InvalidParameterValue", "VisibilityTimeout")
}

// A long poll ends with what comes meanwhile, and with the store.
func TestLongPoll(t *testing.T) {
	b := open(t)
	url := b.create("q", nil)
	got := make(chan string)
	poll := func() {
		out, err := b.client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		if err != nil {
			got <- err.Error()
			return
		}
		got <- bodies(out.Messages)
	}
	go poll()
	b.send(url, "later")
	if text := <-got; text != "later" {
		t.Errorf("polled %q", text)
	}
	go poll()
	b.store.Close()
	if text := <-got; text != "" {
		t.Errorf("polled %q", text)
	}
}

func TestDelayAndRetention(t *testing.T) {
	b := open(t)
	url := b.create("q", map[string]string{"DelaySeconds": "10", "MessageRetentionPeriod": "60"})
	b.send(url, "late")
	b.send(url, "now", func(in *sqs.SendMessageInput) { in.DelaySeconds = 1 })
	count := func(name string) string {
		out, err := b.client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Attributes[name]
	}
	if got := count("ApproximateNumberOfMessagesDelayed"); got != "2" {
		t.Errorf("%s are delayed", got)
	}
	b.clock.advance(time.Second)
	if got := bodies(b.receive(url)); got != "now" {
		t.Errorf("received %q", got)
	}
	b.clock.advance(9 * time.Second)
	if visible, hidden := count("ApproximateNumberOfMessages"), count("ApproximateNumberOfMessagesNotVisible"); visible != "1" || hidden != "1" {
		t.Errorf("%s visible, %s in flight", visible, hidden)
	}
	b.clock.advance(50 * time.Second)
	if got := bodies(b.receive(url)); got != "" {
		t.Errorf("received %q, too old", got)
	}
}

func TestDeadLetters(t *testing.T) {
	b := open(t)
	dead := b.create("dead", nil)
	url := b.create("q", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:dead","maxReceiveCount":"2"}`, "VisibilityTimeout": "1"})
	b.send(url, "poison")
	for range 2 {
		if len(b.receive(url)) != 1 {
			t.Fatal("nothing received")
		}
		b.clock.advance(2 * time.Second)
	}
	if got := b.receive(url); len(got) != 0 {
		t.Errorf("received a third time: %v", got)
	}
	got := b.receive(dead)
	if len(got) != 1 || *got[0].Body != "poison" || got[0].Attributes["DeadLetterQueueSourceArn"] != "arn:aws:sqs:eu-west-1:123456789012:q" {
		t.Errorf("dead letters %+v", got)
	}
	sources, err := b.client.ListDeadLetterSourceQueues(t.Context(), &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dead})
	if err != nil || len(sources.QueueUrls) != 1 || sources.QueueUrls[0] != *url {
		t.Errorf("sources %v, %v", sources, err)
	}
}

func inGroup(group, id string) func(*sqs.SendMessageInput) {
	return func(in *sqs.SendMessageInput) { in.MessageGroupId, in.MessageDeduplicationId = &group, &id }
}

func TestFIFO(t *testing.T) {
	b := open(t)
	url := b.create("q.fifo", map[string]string{"FifoQueue": "true"})
	first := b.send(url, "a1", inGroup("a", "1"))
	b.send(url, "b1", inGroup("b", "2"))
	b.send(url, "a2", inGroup("a", "3"))
	again := b.send(url, "a1 again", inGroup("a", "1"))
	if *again.MessageId != *first.MessageId || *again.SequenceNumber != *first.SequenceNumber {
		t.Errorf("sent again as %v, was %v", again, first)
	}
	one := func(in *sqs.ReceiveMessageInput) { in.MaxNumberOfMessages = 1 }
	got := b.receive(url, one)
	if bodies(got) != "a1" || got[0].Attributes["MessageGroupId"] != "a" || got[0].Attributes["SequenceNumber"] != *first.SequenceNumber {
		t.Fatalf("received %+v", got)
	}
	if others := bodies(b.receive(url)); others != "b1" { // a waits for a1
		t.Errorf("received %q", others)
	}
	b.remove(url, got...)
	if rest := bodies(b.receive(url)); rest != "a2" {
		t.Errorf("received %q", rest)
	}
	b.clock.advance(deduplication)
	if anew := b.send(url, "a1", inGroup("a", "1")); *anew.MessageId == *first.MessageId {
		t.Error("still a duplicate")
	}
	_, err := b.client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")})
	wantCode(t, err, "MissingParameter", "MessageGroupId")
	_, err = b.client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x"), MessageGroupId: aws.String("a")})
	wantCode(t, err, "InvalidParameterValue", "ContentBasedDeduplication")
}

func TestBatches(t *testing.T) {
	b := open(t)
	url := b.create("q", nil)
	in := &sqs.SendMessageBatchInput{QueueUrl: url}
	for i := range 3 {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(fmt.Sprint("m", i))})
	}
	in.Entries[1].DelaySeconds = 901
	sent, err := b.client.SendMessageBatch(t.Context(), in)
	if err != nil || len(sent.Successful) != 2 || len(sent.Failed) != 1 || *sent.Failed[0].Id != "1" || !sent.Failed[0].SenderFault {
		t.Fatalf("sent %+v, %v", sent, err)
	}
	got := b.receive(url)
	if bodies(got) != "m0 m2" {
		t.Errorf("received %q", bodies(got))
	}
	removed, err := b.client.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: aws.String("x"), ReceiptHandle: got[0].ReceiptHandle}, {Id: aws.String("y"), ReceiptHandle: aws.String("what")},
	}})
	if err != nil || len(removed.Successful) != 1 || len(removed.Failed) != 1 || *removed.Failed[0].Code != "ReceiptHandleIsInvalid" {
		t.Errorf("removed %+v, %v", removed, err)
	}
	in.Entries[1].Id = aws.String("0")
	_, err = b.client.SendMessageBatch(t.Context(), in)
	wantCode(t, err, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "0")
	_, err = b.client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: slices.Repeat([]types.SendMessageBatchRequestEntry{}, 0)})
	wantCode(t, err, "AWS.SimpleQueueService.EmptyBatchRequest", "at least one")
}

func TestQueues(t *testing.T) {
	b := open(t)
	url := b.create("orders", map[string]string{"VisibilityTimeout": "5"})
	b.create("other", nil)
	if again := b.create("orders", map[string]string{"VisibilityTimeout": "5"}); *again != *url {
		t.Errorf("created again at %s", *again)
	}
	_, err := b.client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("orders"), Attributes: map[string]string{"VisibilityTimeout": "6"}})
	wantCode(t, err, "QueueAlreadyExists", "VisibilityTimeout")
	_, err = b.client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("a/b")})
	wantCode(t, err, "InvalidParameterValue", "alphanumeric")
	_, err = b.client.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"Colour": "red"}})
	wantCode(t, err, "InvalidAttributeName", "Colour")
	if _, err = b.client.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"VisibilityTimeout": "7"}}); err != nil {
		t.Fatal(err)
	}
	out, err := b.client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"VisibilityTimeout", "QueueArn"}})
	if err != nil || out.Attributes["VisibilityTimeout"] != "7" || out.Attributes["QueueArn"] != "arn:aws:sqs:eu-west-1:123456789012:orders" || len(out.Attributes) != 2 {
		t.Errorf("attributes %v, %v", out, err)
	}
	list, err := b.client.ListQueues(t.Context(), &sqs.ListQueuesInput{MaxResults: aws.Int32(1)})
	if err != nil || len(list.QueueUrls) != 1 || list.NextToken == nil {
		t.Fatalf("listed %+v, %v", list, err)
	}
	list, err = b.client.ListQueues(t.Context(), &sqs.ListQueuesInput{MaxResults: aws.Int32(1), NextToken: list.NextToken})
	if err != nil || len(list.QueueUrls) != 1 || !strings.HasSuffix(list.QueueUrls[0], "/other") || list.NextToken != nil {
		t.Errorf("listed %+v, %v", list, err)
	}
	if _, err := b.client.TagQueue(t.Context(), &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"a": "1", "b": "2"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.UntagQueue(t.Context(), &sqs.UntagQueueInput{QueueUrl: url, TagKeys: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	tags, err := b.client.ListQueueTags(t.Context(), &sqs.ListQueueTagsInput{QueueUrl: url})
	if err != nil || len(tags.Tags) != 1 || tags.Tags["b"] != "2" {
		t.Errorf("tags %v, %v", tags, err)
	}
	b.send(url, "x")
	if _, err := b.client.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: url}); err != nil {
		t.Fatal(err)
	}
	if got := b.receive(url); len(got) != 0 {
		t.Errorf("purged, but received %v", got)
	}
	if _, err := b.client.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: url}); err != nil {
		t.Fatal(err)
	}
	_, err = b.client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("orders")})
	var none *types.QueueDoesNotExist
	if !errors.As(err, &none) {
		t.Errorf("deleted, but %v", err)
	}
}

func TestQueuesOutliveTheProgram(t *testing.T) {
	b := open(t)
	url := b.create("q", map[string]string{"VisibilityTimeout": "7"})
	gone := b.create("gone", nil)
	for i := range 5 {
		b.send(url, fmt.Sprint(i))
	}
	b.remove(url, b.receive(url, func(in *sqs.ReceiveMessageInput) { in.MaxNumberOfMessages = 1 })...)
	if _, err := b.client.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: gone}); err != nil {
		t.Fatal(err)
	}
	b.serve()
	out, err := b.client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("q")})
	if err != nil {
		t.Fatal(err)
	}
	if got := bodies(b.receive(out.QueueUrl)); got != "1 2 3 4" {
		t.Errorf("received %q", got)
	}
	if list, err := b.client.ListQueues(t.Context(), nil); err != nil || len(list.QueueUrls) != 1 {
		t.Errorf("listed %v, %v", list, err)
	}
}
