package sns

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"
)

// bench is a store with a client, and what it delivered.
type bench struct {
	*testing.T
	client    *sns.Client
	dir       string
	delivered []Delivery // written while a request is answered
	refuses   string     // endpoint that takes nothing
}

func open(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir()}
	b.serve()
	return b
}

// serve starts the store, anew if there was one.
func (b *bench) serve() {
	b.Helper()
	store, err := Open(Options{
		Dir: b.dir, Account: "123456789012", Region: "eu-west-1", Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		Deliver: func(d Delivery) error {
			if d.Endpoint == b.refuses {
				return errors.New("refused")
			}
			b.delivered = append(b.delivered, d)
			return nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(store.API())
	b.Cleanup(server.Close)
	b.client = sns.New(sns.Options{BaseEndpoint: &server.URL, Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
}

func (b *bench) topic(name string) *string {
	b.Helper()
	out, err := b.client.CreateTopic(b.Context(), &sns.CreateTopicInput{Name: &name})
	if err != nil {
		b.Fatal(err)
	}
	return out.TopicArn
}

const (
	function = "arn:aws:lambda:eu-west-1:123456789012:function:f:live"
	queue    = "arn:aws:sqs:eu-west-1:123456789012:q"
)

func (b *bench) try(topic *string, endpoint string, attributes map[string]string) (*sns.SubscribeOutput, error) {
	protocol := strings.Split(endpoint, ":")[2]
	return b.client.Subscribe(b.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: &protocol, Endpoint: &endpoint, Attributes: attributes})
}

func (b *bench) subscribe(topic *string, endpoint string, attributes map[string]string) *string {
	b.Helper()
	out, err := b.try(topic, endpoint, attributes)
	if err != nil {
		b.Fatal(err)
	}
	return out.SubscriptionArn
}

// publish sends a message and returns what was delivered of it.
func (b *bench) publish(topic *string, text string, attributes map[string]types.MessageAttributeValue, change ...func(*sns.PublishInput)) []Delivery {
	b.Helper()
	in := &sns.PublishInput{TopicArn: topic, Message: &text, MessageAttributes: attributes}
	for _, c := range change {
		c(in)
	}
	b.delivered = nil
	if _, err := b.client.Publish(b.Context(), in); err != nil {
		b.Fatal(err)
	}
	return b.delivered
}

func text(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
}

func wantCode(t *testing.T, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), message) {
		t.Errorf("error = %v, want %s %s", err, code, message)
	}
}

func TestFunctionGetsAnEvent(t *testing.T) {
	b := open(t)
	topic := b.topic("news")
	sub := b.subscribe(topic, function, nil)
	got := b.publish(topic, "hello", map[string]types.MessageAttributeValue{"kind": text("a"), "bytes": {DataType: aws.String("Binary"), BinaryValue: []byte{255}}},
		func(in *sns.PublishInput) { in.Subject = aws.String("s") })
	if len(got) != 1 || got[0].Endpoint != function || got[0].Topic != *topic {
		t.Fatalf("delivered %+v", got)
	}
	var e struct {
		Records []struct {
			EventSource, EventVersion, EventSubscriptionArn string
			Sns                                             envelope
		}
	}
	if err := json.Unmarshal(got[0].Payload, &e); err != nil {
		t.Fatal(err)
	}
	r := e.Records[0]
	if r.EventSource != "aws:sns" || r.EventVersion != "1.0" || r.EventSubscriptionArn != *sub || r.Sns.Message != "hello" || *r.Sns.Subject != "s" || r.Sns.TopicArn != *topic ||
		r.Sns.Timestamp != "2026-01-02T03:04:05.000Z" || r.Sns.MessageAttributes["kind"] != (typed{"String", "a"}) || r.Sns.MessageAttributes["bytes"] != (typed{"Binary", "/w=="}) {
		t.Errorf("event %s", got[0].Payload)
	}
}

func TestQueueGetsTheEnvelopeOrTheText(t *testing.T) {
	b := open(t)
	topic := b.topic("news")
	sub := b.subscribe(topic, queue, nil)
	got := b.publish(topic, "hello", nil)
	var e map[string]any
	if len(got) != 1 || json.Unmarshal(got[0].Payload, &e) != nil || e["Message"] != "hello" || e["Type"] != "Notification" || e["MessageAttributes"] != nil {
		t.Errorf("delivered %+v", got)
	}
	in := &sns.SetSubscriptionAttributesInput{SubscriptionArn: sub, AttributeName: aws.String("RawMessageDelivery"), AttributeValue: aws.String("true")}
	if _, err := b.client.SetSubscriptionAttributes(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	got = b.publish(topic, "hello", map[string]types.MessageAttributeValue{"kind": text("a")})
	if len(got) != 1 || string(got[0].Payload) != "hello" || got[0].Attributes["kind"].StringValue != "a" {
		t.Errorf("delivered %+v", got)
	}
}

func TestFilterPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		policy, scope, message string
		attributes             map[string]types.MessageAttributeValue
		want                   bool
	}{
		"fits":           {`{"kind":["a","b"]}`, "", "x", map[string]types.MessageAttributeValue{"kind": text("b")}, true},
		"does not":       {`{"kind":["a","b"]}`, "", "x", map[string]types.MessageAttributeValue{"kind": text("c")}, false},
		"is missing":     {`{"kind":["a"]}`, "", "x", nil, false},
		"may be missing": {`{"kind":[{"exists":false}]}`, "", "x", nil, true},
		"number":         {`{"n":[{"numeric":[">",5]}]}`, "", "x", map[string]types.MessageAttributeValue{"n": {DataType: aws.String("Number"), StringValue: aws.String("7")}}, true},
		"array":          {`{"tags":["b"]}`, "", "x", map[string]types.MessageAttributeValue{"tags": {DataType: aws.String("String.Array"), StringValue: aws.String(`["a","b"]`)}}, true},
		"body":           {`{"order":{"kind":["a"]}}`, "MessageBody", `{"order":{"kind":"a"}}`, nil, true},
		"other body":     {`{"order":{"kind":["a"]}}`, "MessageBody", `{"order":{"kind":"b"}}`, nil, false},
		"no JSON":        {`{"order":{"kind":["a"]}}`, "MessageBody", `text`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			topic := b.topic("news")
			attributes := map[string]string{"FilterPolicy": c.policy}
			if c.scope != "" {
				attributes["FilterPolicyScope"] = c.scope
			}
			b.subscribe(topic, function, attributes)
			if got := b.publish(topic, c.message, c.attributes); (len(got) == 1) != c.want {
				t.Errorf("delivered %+v", got)
			}
		})
	}
}

func TestDeadLetters(t *testing.T) {
	b := open(t)
	topic := b.topic("news")
	b.subscribe(topic, function, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + queue + `"}`})
	b.refuses = function
	if got := b.publish(topic, "hello", nil); len(got) != 1 || got[0].Endpoint != queue || !strings.Contains(string(got[0].Payload), `"Message":"hello"`) {
		t.Errorf("delivered %+v", got)
	}
}

// Whoever subscribes again gets the same subscription, unless it is to be another one.
func TestSubscribeTwice(t *testing.T) {
	b := open(t)
	topic := b.topic("news")
	first := b.subscribe(topic, function, map[string]string{"FilterPolicy": `{"a":["b"]}`})
	for _, attributes := range []map[string]string{nil, {"FilterPolicy": `{"a":["b"]}`}} {
		if again := b.subscribe(topic, function, attributes); *again != *first {
			t.Errorf("subscribed again as %s", *again)
		}
	}
	_, err := b.try(topic, function, map[string]string{"FilterPolicy": `{"a":["c"]}`})
	wantCode(t, err, "InvalidParameter", "Subscription already exists with different attributes")
	out, err := b.client.GetSubscriptionAttributes(t.Context(), &sns.GetSubscriptionAttributesInput{SubscriptionArn: first})
	if err != nil || out.Attributes["FilterPolicy"] != `{"a":["b"]}` || out.Attributes["FilterPolicyScope"] != "MessageAttributes" || out.Attributes["Endpoint"] != function {
		t.Errorf("attributes %v, %v", out, err)
	}
	if _, err := b.client.Unsubscribe(t.Context(), &sns.UnsubscribeInput{SubscriptionArn: first}); err != nil {
		t.Fatal(err)
	}
	if got := b.publish(topic, "x", map[string]types.MessageAttributeValue{"a": text("b")}); len(got) != 0 {
		t.Errorf("delivered %+v", got)
	}
	if _, err := b.client.Unsubscribe(t.Context(), &sns.UnsubscribeInput{SubscriptionArn: first}); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func TestErrors(t *testing.T) {
	b := open(t)
	topic, missing := b.topic("news"), aws.String("arn:aws:sns:eu-west-1:123456789012:none")
	_, err := b.client.Publish(t.Context(), &sns.PublishInput{TopicArn: missing, Message: aws.String("x")})
	wantCode(t, err, "NotFound", "Topic does not exist")
	_, err = b.client.ListSubscriptionsByTopic(t.Context(), &sns.ListSubscriptionsByTopicInput{TopicArn: missing})
	var none *types.NotFoundException
	if !errors.As(err, &none) {
		t.Errorf("listed: %v", err)
	}
	_, err = b.try(missing, function, nil)
	wantCode(t, err, "NotFound", "Topic does not exist")
	_, err = b.try(topic, function, map[string]string{"FilterPolicy": `{"a":"b"}`})
	wantCode(t, err, "InvalidParameter", "FilterPolicy")
	_, err = b.try(topic, function, map[string]string{"FilterPolicy": `{"a":{"b":["c"]}}`})
	wantCode(t, err, "InvalidParameter", "nested")
	_, err = b.try(topic, "arn:aws:firehose:eu-west-1:123456789012:x", nil)
	wantCode(t, err, "InvalidParameter", "not to firehose")
	_, err = b.client.Publish(t.Context(), &sns.PublishInput{TopicArn: topic, Message: aws.String("")})
	wantCode(t, err, "InvalidParameter", "Empty message")
	_, err = b.client.Publish(t.Context(), &sns.PublishInput{TopicArn: topic, Message: aws.String(strings.Repeat("x", maxMessage+1))})
	wantCode(t, err, "InvalidParameter", "Message too long")
	_, err = b.client.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("a/b")})
	wantCode(t, err, "InvalidParameter", "Topic Name")
}

func TestBatchesAndStructures(t *testing.T) {
	b := open(t)
	topic := b.topic("news")
	b.subscribe(topic, queue, map[string]string{"RawMessageDelivery": "true"})
	out, err := b.client.PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: topic, PublishBatchRequestEntries: []types.PublishBatchRequestEntry{
		{Id: aws.String("1"), Message: aws.String("one")}, {Id: aws.String("2"), Message: aws.String("{}"), MessageStructure: aws.String("json")},
	}})
	if err != nil || len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Id != "2" || len(b.delivered) != 1 {
		t.Errorf("published %+v, %v; delivered %v", out, err, b.delivered)
	}
	got := b.publish(topic, `{"default":"d","sqs":"for queues"}`, nil, func(in *sns.PublishInput) { in.MessageStructure = aws.String("json") })
	if len(got) != 1 || string(got[0].Payload) != "for queues" {
		t.Errorf("delivered %+v", got)
	}
}

func TestTopicsOutliveTheProgram(t *testing.T) {
	b := open(t)
	topic := b.topic("news")
	b.subscribe(topic, function, nil)
	if _, err := b.client.TagResource(t.Context(), &sns.TagResourceInput{ResourceArn: topic, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}); err != nil {
		t.Fatal(err)
	}
	for i := range maxListed + 1 {
		b.topic(fmt.Sprint("more", i))
	}
	b.serve()
	if got := b.publish(topic, "x", nil); len(got) != 1 {
		t.Errorf("delivered %+v", got)
	}
	tags, err := b.client.ListTagsForResource(t.Context(), &sns.ListTagsForResourceInput{ResourceArn: topic})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "v" {
		t.Errorf("tags %+v, %v", tags, err)
	}
	topics := 0
	pages := sns.NewListTopicsPaginator(b.client, nil)
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		topics += len(page.Topics)
	}
	if topics != maxListed+2 {
		t.Errorf("%d topics", topics)
	}
	if _, err := b.client.DeleteTopic(t.Context(), &sns.DeleteTopicInput{TopicArn: topic}); err != nil {
		t.Fatal(err)
	}
	_, err = b.client.GetTopicAttributes(t.Context(), &sns.GetTopicAttributesInput{TopicArn: topic})
	wantCode(t, err, "NotFound", "Topic")
}
