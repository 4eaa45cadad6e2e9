package main

import (
	"context"
	"fmt"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// triggered makes what can trigger functions, and returns the annotations that
// connect a function to each of it.
func triggered(t *testing.T, c *cloud, id string) map[string]string {
	t.Helper()
	cfg := c.config()
	_, err := sqs.NewFromConfig(cfg).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &id, Attributes: map[string]string{"VisibilityTimeout": "900"}})
	if err != nil {
		t.Fatal(err)
	}
	topic, err := sns.NewFromConfig(cfg).CreateTopic(t.Context(), &sns.CreateTopicInput{Name: &id})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &id}); err != nil {
		t.Fatal(err)
	}
	const p = "com.openfaas.lambda/"
	return map[string]string{
		p + "sqs": "arn:aws:sqs:" + region + ":" + account + ":" + id, p + "sns": *topic.TopicArn, p + "s3": id, p + "url": "NONE", p + "schedule": "rate(1 day)",
	}
}

// triggers tells how many triggers of each kind a function has.
func (c *cloud) triggers(ctx context.Context, fc faultCase) (map[string]int, error) {
	cfg, count := c.config(), map[string]int{"sqs": 0, "sns": 0, "s3": 0, "url": 0, "schedule": 0}
	alias := "arn:aws:lambda:" + region + ":" + account + ":function:" + fc.name.Function + ":live"
	mappings, err := c.lambda.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{EventSourceArn: awssdk.String(fc.more["com.openfaas.lambda/sqs"])})
	if err != nil {
		return nil, err
	}
	for _, m := range mappings.EventSourceMappings {
		if awssdk.ToString(m.State) != "Deleting" {
			count["sqs"]++
		}
	}
	topics, err := sns.NewFromConfig(cfg).ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: awssdk.String(fc.more["com.openfaas.lambda/sns"])})
	if err != nil {
		return nil, err
	}
	count["sns"] = len(topics.Subscriptions)
	bucket, err := c.s3.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: awssdk.String(fc.more["com.openfaas.lambda/s3"])})
	if err != nil {
		return nil, err
	}
	count["s3"] = len(bucket.LambdaFunctionConfigurations)
	rules, err := eventbridge.NewFromConfig(cfg).ListRuleNamesByTarget(ctx, &eventbridge.ListRuleNamesByTargetInput{TargetArn: &alias})
	if err != nil {
		return nil, err
	}
	count["schedule"] = len(rules.RuleNames)
	_, err = c.lambda.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: &fc.name.Function, Qualifier: awssdk.String("live")})
	if err == nil {
		count["url"] = 1
	}
	return count, nil
}

// connected checks that the generation that serves has each of its triggers once
// (a URL came with the new one), and a function that is gone none.
func (c *cloud) connected(ctx context.Context, fc faultCase, serves string) error {
	if fc.more["com.openfaas.lambda/sqs"] == "" {
		return nil
	}
	count, err := c.triggers(ctx, fc)
	if err != nil {
		return err
	}
	for kind, n := range count {
		want := 1
		if serves == "" || kind == "url" && serves != "new" {
			want = 0
		}
		if n != want {
			return fmt.Errorf("%d triggers of kind %s, want %d", n, kind, want)
		}
	}
	return nil
}
