package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/openfaas/faas-provider/types"
)

// sources are the services that triggers come from, as their users have them.
type sources struct {
	*testing.T
	lambda *lambda.Client
	sqs    *sqs.Client
	sns    *sns.Client
	s3     *s3.Client
	events *eventbridge.Client
}

func openSources(t *testing.T) *sources {
	t.Helper()
	config := awssdk.Config{Region: "us-east-1", BaseEndpoint: &shared.up.AWS, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
	return &sources{
		T: t, lambda: lambda.NewFromConfig(config), sqs: sqs.NewFromConfig(config), sns: sns.NewFromConfig(config), events: eventbridge.NewFromConfig(config),
		s3: s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

// queue makes a queue for functions that run as long as they may.
func (s *sources) queue(name string) (url *string) {
	s.Helper()
	out, err := s.sqs.CreateQueue(s.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{"VisibilityTimeout": "900"}})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if _, err := s.sqs.DeleteQueue(context.WithoutCancel(s.Context()), &sqs.DeleteQueueInput{QueueUrl: out.QueueUrl}); err != nil {
			s.Error(err)
		}
	})
	return out.QueueUrl
}

func (s *sources) send(url *string, body string) {
	s.Helper()
	if _, err := s.sqs.SendMessage(s.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body}); err != nil {
		s.Fatal(err)
	}
}

// waiting is how many messages of a queue are with nobody, and how many with somebody.
func (s *sources) waiting(url *string) string {
	s.Helper()
	out, err := s.sqs.GetQueueAttributes(s.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
	if err != nil {
		s.Fatal(err)
	}
	return out.Attributes["ApproximateNumberOfMessages"] + "+" + out.Attributes["ApproximateNumberOfMessagesNotVisible"]
}

func (s *sources) topic(name string) (arn *string) {
	s.Helper()
	out, err := s.sns.CreateTopic(s.Context(), &sns.CreateTopicInput{Name: &name})
	if err != nil {
		s.Fatal(err)
	}
	return out.TopicArn
}

func (s *sources) publish(topic *string, text, kind string) {
	s.Helper()
	in := &sns.PublishInput{TopicArn: topic, Message: &text, MessageAttributes: map[string]snstypes.MessageAttributeValue{"kind": {DataType: awssdk.String("String"), StringValue: &kind}}}
	if _, err := s.sns.Publish(s.Context(), in); err != nil {
		s.Fatal(err)
	}
}

func (s *sources) bucket(name string) {
	s.Helper()
	if _, err := s.s3.CreateBucket(s.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		s.Fatal(err)
	}
}

func (s *sources) upload(bucket, key string) {
	s.Helper()
	if _, err := s.s3.PutObject(s.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
		s.Fatal(err)
	}
}

// rules are the names of those that have the function as their target.
func (s *sources) rules(alias string) []string {
	s.Helper()
	out, err := s.events.ListRuleNamesByTarget(s.Context(), &eventbridge.ListRuleNamesByTargetInput{TargetArn: &alias})
	if err != nil {
		s.Fatal(err)
	}
	return out.RuleNames
}

// heard is what a function printed of what it heard.
func heard(t *testing.T, function string) string {
	t.Helper()
	return string(do(t, http.MethodGet, "/system/logs?tail=-1&name="+function, nil).Body)
}

// call sends a request to a function's own URL.
func call(t *testing.T, url string) (status int, body string) {
	t.Helper()
	answer, err := http.Post(url+"orders?n=1", "text/plain", strings.NewReader("by URL"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(data)
}

// TestTriggers has annotations connect a function to a queue, a topic, a bucket, a schedule and a URL, connect it to others, and to nothing in the
// end. What each sends reaches the function.
func TestTriggers(t *testing.T) {
	const p = "com.openfaas.lambda/"
	s, function := openSources(t), fresh("triggered")

	orders, returns := s.queue("orders"), s.queue("returns")
	news := s.topic("news")
	s.bucket("uploads")
	s.bucket("images")
	image := push(t, "functions/listener:1", middleware(t, "listener"))
	deployment := func(annotations ...string) types.FunctionDeployment {
		all := map[string]string{}
		for i := 0; i+1 < len(annotations); i += 2 {
			all[annotations[i]] = annotations[i+1]
		}
		return types.FunctionDeployment{Service: function, Image: image, Annotations: &all}
	}
	const sqsPrefix = "arn:aws:sqs:us-east-1:000000000000:"
	deploy(t, deployment(p+"sqs", sqsPrefix+"orders?batch-size=5&report-failures=true", p+"sns", *news+`?filter={"kind":["a"]}`, p+"s3", "uploads?prefix=in/",
		"topic", "cron-function", "schedule", "0 4 * * *", p+"url", "NONE"))
	if functions := do(t, http.MethodGet, "/system/function/"+function, nil); functions.Status != http.StatusOK {
		t.Fatalf("%d %s", functions.Status, functions.Body)
	}
	alias := s.alias(function)

	s.send(orders, "by queue")
	s.publish(news, "by topic", "a")
	s.publish(news, "of another kind", "b")
	s.upload("uploads", "out/a")
	s.upload("uploads", "in/a")
	for _, want := range []string{`by queue`, `by topic`, `in/a`} {
		eventually(t, want+" heard", func() bool { return strings.Contains(heard(t, function), want) })
	}
	eventually(t, "the message to be deleted", func() bool { return s.waiting(orders) == "0+0" })
	url := s.url(function)
	if status, body := call(t, url); status != http.StatusOK || body != `{"heard":6}` {
		t.Errorf("by URL: %d %s", status, body)
	}
	eventually(t, "the request", func() bool { return strings.Contains(heard(t, function), "heard POST /orders?n=1 by URL") })
	s.fire(alias, "cron(0 4 * * ? *)")
	if got := heard(t, function); strings.Contains(got, "of another kind") || strings.Contains(got, "out/a") {
		t.Errorf("heard what it does not want: %s", got)
	}

	answer, err := shared.up.Update(t.Context(), deployment(p+"sqs", sqsPrefix+"returns", p+"sns", *news, p+"s3", "images", p+"schedule", "rate(2 days)", p+"url", "AWS_IAM?mode=RESPONSE_STREAM"))
	if err != nil || answer.Status >= 300 {
		t.Fatalf("update: %d %s, %v\n%s", answer.Status, answer.Body, err, shared.log)
	}
	s.send(orders, "to nobody")
	s.send(returns, "by another queue")
	s.publish(news, "without a filter", "b")
	s.upload("uploads", "in/b")
	s.upload("images", "c")
	for _, want := range []string{`by another queue`, `without a filter`, `\"key\":\"c\"`} {
		eventually(t, want+" heard", func() bool { return strings.Contains(heard(t, function), want) })
	}
	if status, body := call(t, s.url(function)); status != http.StatusForbidden {
		t.Errorf("unsigned: %d %s", status, body)
	}
	s.fire(alias, "rate(2 days)")
	if got := heard(t, function); strings.Contains(got, "to nobody") || strings.Contains(got, "in/b") || s.waiting(orders) != "1+0" {
		t.Errorf("heard what it does not want any more: %s", got)
	}

	if answer, err := shared.up.Remove(t.Context(), function); err != nil || answer.Status >= 300 {
		t.Fatalf("remove: %d %s, %v", answer.Status, answer.Body, err)
	}
	s.nothing(function, alias, news, url)
}

// alias is the ARN of what serves.
func (s *sources) alias(function string) string {
	s.Helper()
	out, err := s.lambda.GetAlias(s.Context(), &lambda.GetAliasInput{FunctionName: &function, Name: awssdk.String("live")})
	if err != nil {
		s.Fatal(err)
	}
	return *out.AliasArn
}

func (s *sources) url(function string) string {
	s.Helper()
	out, err := s.lambda.GetFunctionUrlConfig(s.Context(), &lambda.GetFunctionUrlConfigInput{FunctionName: &function, Qualifier: awssdk.String("live")})
	if err != nil {
		s.Fatal(err)
	}
	return *out.FunctionUrl
}

// fire does what the function's one rule, which must be of that schedule, will do in time.
func (s *sources) fire(alias, schedule string) {
	s.Helper()
	names := s.rules(alias)
	if len(names) != 1 {
		s.Fatalf("rules %v", names)
	}
	rule, err := s.events.DescribeRule(s.Context(), &eventbridge.DescribeRuleInput{Name: &names[0]})
	if err != nil || *rule.ScheduleExpression != schedule || rule.State != "ENABLED" {
		s.Fatalf("rule %+v, %v", rule, err)
	}
	targets, err := s.events.ListTargetsByRule(s.Context(), &eventbridge.ListTargetsByRuleInput{Rule: &names[0]})
	if err != nil || len(targets.Targets) != 1 {
		s.Fatalf("targets %+v, %v", targets, err)
	}
	out, err := s.lambda.Invoke(s.Context(), &lambda.InvokeInput{FunctionName: &alias, Payload: []byte(*targets.Targets[0].Input)})
	if err != nil || out.FunctionError != nil || !strings.Contains(string(out.Payload), `"x-topic":"cron-function"`) {
		s.Errorf("fired: %s, %v", out.Payload, err)
	}
}

// nothing looks at every service for what is left of a function's triggers.
func (s *sources) nothing(function, alias string, topic *string, url string) {
	s.Helper()
	for source := range strings.FieldsSeq("orders returns") {
		out, err := s.lambda.ListEventSourceMappings(s.Context(), &lambda.ListEventSourceMappingsInput{EventSourceArn: awssdk.String("arn:aws:sqs:us-east-1:000000000000:" + source)})
		for _, m := range out.EventSourceMappings {
			if *m.State != "Deleting" {
				s.Errorf("mapping of %s: %s", source, *m.State)
			}
		}
		if err != nil {
			s.Error(err)
		}
	}
	subscriptions, err := s.sns.ListSubscriptionsByTopic(s.Context(), &sns.ListSubscriptionsByTopicInput{TopicArn: topic})
	if err != nil || len(subscriptions.Subscriptions) > 0 {
		s.Errorf("subscriptions %+v, %v", subscriptions, err)
	}
	for bucket := range strings.FieldsSeq("uploads images") {
		n, err := s.s3.GetBucketNotificationConfiguration(s.Context(), &s3.GetBucketNotificationConfigurationInput{Bucket: &bucket})
		if err != nil || len(n.LambdaFunctionConfigurations) > 0 {
			s.Errorf("notifications of %s: %+v, %v", bucket, n.LambdaFunctionConfigurations, err)
		}
	}
	if names := s.rules(alias); len(names) > 0 {
		s.Errorf("rules %v", names)
	}
	if answer, err := http.Get(url); err == nil {
		answer.Body.Close()
		s.Errorf("the URL answers %d", answer.StatusCode)
	}
	if out, err := s.lambda.ListFunctions(s.Context(), nil); err != nil || strings.Contains(fmt.Sprint(namesOf(out.Functions)), function) {
		s.Errorf("functions %v, %v", namesOf(out.Functions), err)
	}
}

func namesOf(functions []lambdatypes.FunctionConfiguration) []string {
	var all []string
	for _, f := range functions {
		all = append(all, *f.FunctionName)
	}
	return all
}

// TestTriggersThatCannotBe names sources that are not there or do not fit: the answer says so, and nothing is left.
func TestTriggersThatCannotBe(t *testing.T) {
	s := openSources(t)
	if _, err := s.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: awssdk.String("hasty"), Attributes: map[string]string{"VisibilityTimeout": "1"}}); err != nil {
		t.Fatal(err)
	}
	image := push(t, "functions/listener:1", middleware(t, "listener"))
	const p = "com.openfaas.lambda/"
	for _, c := range []struct{ annotation, value, want string }{
		{"sqs", "arn:aws:sqs:us-east-1:000000000000:nowhere", "NonExistentQueue"},
		{"sqs", "arn:aws:sqs:us-east-1:000000000000:hasty", "Queue visibility timeout: 1 seconds is less than Function timeout"},
		{"sqs", "arn:aws:sqs:us-east-1:000000000000:hasty?filter={\"body\":\"x\"}", "Invalid filter pattern"},
		{"sns", "arn:aws:sns:us-east-1:000000000000:nowhere", "Topic does not exist"},
		{"s3", "no-such-bucket-anywhere", "NoSuchBucket"},
		{"schedule", "cron(0 25 * * ? *)", `hour "25"`},
	} {
		d := types.FunctionDeployment{Service: "untriggered", Image: image, Annotations: &map[string]string{p + c.annotation: c.value}}
		answer, err := shared.up.Deploy(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Status != http.StatusBadRequest || !strings.Contains(string(answer.Body), c.want) || !strings.Contains(string(answer.Body), "annotation "+p+c.annotation) {
			t.Errorf("%s=%s: %d %s", c.annotation, c.value, answer.Status, answer.Body)
		}
		if after := do(t, http.MethodGet, "/system/function/untriggered", nil); after.Status != http.StatusNotFound {
			t.Errorf("%s=%s: left %d %s", c.annotation, c.value, after.Status, after.Body)
		}
	}
}
