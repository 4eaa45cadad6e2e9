package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// partition is the part of AWS that a function is in: aws, aws-cn, aws-us-gov.
func (at Attachment) partition() string {
	if parts := strings.Split(at.ARN, ":"); len(parts) > 1 {
		return parts[1]
	}
	return "aws"
}

func bucketARN(at Attachment, t Trigger, _ string) string {
	return "arn:" + at.partition() + ":s3:::" + t.Source
}

// notifications reads a bucket's notifications, changes those for functions and
// writes them back: S3 takes only all of them together. A bucket that is gone
// has none. S3 checks all destinations, others' among them, unless it is told
// not to: then what is gone of theirs is in nobody's way. Where the change adds
// or removes nothing, nothing is written.
func notifications(ctx context.Context, at Attachment, bucket string, unchecked bool, change func([]s3types.LambdaFunctionConfiguration) []s3types.LambdaFunctionConfiguration) error {
	doing := "notify of bucket " + bucket
	has, err := at.S3.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: &bucket})
	if err != nil {
		return awserr.Wrap(doing, err)
	}
	functions := change(has.LambdaFunctionConfigurations)
	if len(functions) == len(has.LambdaFunctionConfigurations) {
		return nil
	}
	_, err = at.S3.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{
		Bucket: &bucket, SkipDestinationValidation: &unchecked, NotificationConfiguration: &s3types.NotificationConfiguration{
			LambdaFunctionConfigurations: functions,
			QueueConfigurations:          has.QueueConfigurations, TopicConfigurations: has.TopicConfigurations, EventBridgeConfiguration: has.EventBridgeConfiguration,
		},
	})
	return awserr.Wrap(doing, err)
}

func connectBucket(ctx context.Context, at Attachment, t Trigger, sid string) error {
	events := strings.Fields(t.Options["events"])
	if len(events) == 0 {
		events = []string{"s3:ObjectCreated:*"}
	}
	c := s3types.LambdaFunctionConfiguration{Id: &sid, LambdaFunctionArn: aws.String(at.aliasARN())}
	for _, event := range events {
		c.Events = append(c.Events, s3types.Event(event))
	}
	var rules []s3types.FilterRule
	for _, name := range []s3types.FilterRuleName{s3types.FilterRuleNamePrefix, s3types.FilterRuleNameSuffix} {
		if value := t.Options[string(name)]; value != "" {
			rules = append(rules, s3types.FilterRule{Name: name, Value: &value})
		}
	}
	if rules != nil {
		c.Filter = &s3types.NotificationConfigurationFilter{Key: &s3types.S3KeyFilter{FilterRules: rules}}
	}
	return notifications(ctx, at, t.Source, false, func(list []s3types.LambdaFunctionConfiguration) []s3types.LambdaFunctionConfiguration {
		if slices.ContainsFunc(list, named(sid)) {
			return list // its id says all that is in it
		}
		return append(list, c)
	})
}

func named(id string) func(s3types.LambdaFunctionConfiguration) bool {
	return func(c s3types.LambdaFunctionConfiguration) bool { return aws.ToString(c.Id) == id }
}

func disconnectBucket(ctx context.Context, at Attachment, sid, source string) error {
	_, bucket, _ := strings.Cut(source, ":::")
	err := notifications(ctx, at, bucket, true, func(list []s3types.LambdaFunctionConfiguration) []s3types.LambdaFunctionConfiguration {
		return slices.DeleteFunc(slices.Clone(list), named(sid))
	})
	if awserr.Code(err) == "NoSuchBucket" {
		return nil
	}
	return err
}

func connectTopic(ctx context.Context, at Attachment, t Trigger, _ string) error {
	attributes := map[string]string{}
	if filter := t.Options["filter"]; filter != "" {
		attributes["FilterPolicy"] = filter
		if scope := t.Options["filter-scope"]; scope != "" {
			attributes["FilterPolicyScope"] = scope
		}
	}
	if queue := t.Options["dead-letter"]; queue != "" {
		policy, err := json.Marshal(map[string]string{"deadLetterTargetArn": queue})
		if err != nil {
			return fmt.Errorf("subscribe to %s: %w", t.Source, err)
		}
		attributes["RedrivePolicy"] = string(policy)
	}
	if at.subscribed(t) {
		if err := disconnectTopic(ctx, at, "", t.Source); err != nil {
			return err
		}
	}
	subscribe := func() error {
		_, err := at.SNS.Subscribe(ctx, &sns.SubscribeInput{TopicArn: &t.Source, Protocol: aws.String("lambda"), Endpoint: aws.String(at.aliasARN()), Attributes: attributes})
		return err
	}
	err := subscribe()
	if awserr.Code(err) == "InvalidParameter" && strings.Contains(err.Error(), "already exists with different attributes") {
		if err := disconnectTopic(ctx, at, "", t.Source); err != nil {
			return err
		}
		err = subscribe()
	}
	return awserr.Wrap("subscribe to "+t.Source, err)
}

// subscribed tells whether there may be a subscription to the topic with other
// options. It would keep those that are not named any more (SNS API, Subscribe).
func (at Attachment) subscribed(t Trigger) bool {
	return slices.ContainsFunc(at.Had, func(had []Trigger) bool {
		return slices.ContainsFunc(had, func(o Trigger) bool {
			return o.Kind == t.Kind && o.Source == t.Source && o.sid("") != t.sid("")
		})
	})
}

func disconnectTopic(ctx context.Context, at Attachment, _, source string) error {
	pages := sns.NewListSubscriptionsByTopicPaginator(at.SNS, &sns.ListSubscriptionsByTopicInput{TopicArn: &source})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var gone *snstypes.NotFoundException
		if errors.As(err, &gone) {
			return nil
		}
		if err != nil {
			return awserr.Wrap("list subscriptions of "+source, err)
		}
		for _, s := range page.Subscriptions {
			if aws.ToString(s.Endpoint) != at.aliasARN() {
				continue
			}
			if _, err := at.SNS.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: s.SubscriptionArn}); err != nil {
				return awserr.Wrap("unsubscribe from "+source, err)
			}
		}
	}
	return nil
}

// ruleARN is that of a rule of the default bus, named by the trigger.
func ruleARN(at Attachment, _ Trigger, sid string) string {
	parts := strings.SplitN(at.ARN, ":", 6) // arn:aws:lambda:region:account:function:name
	if len(parts) < 6 {
		return ""
	}
	return "arn:" + parts[1] + ":events:" + parts[3] + ":" + parts[4] + ":rule/" + sid
}

// scheduled is the event of a schedule: the request that the cron-connector
// makes, POST / without a body, as an event of API Gateway, which bootstrap
// takes (docs.openfaas.com, "cron-connector").
const scheduled = `{"version":"2.0","routeKey":"$default","rawPath":"/","rawQueryString":"",` +
	`"headers":{"host":"schedule","content-type":"text/plain","x-connector":"cron-connector","x-topic":"cron-function"},` +
	`"requestContext":{"domainName":"schedule","http":{"method":"POST","path":"/","protocol":"HTTP/1.1","sourceIp":"127.0.0.1","userAgent":"faas-lambda"},"routeKey":"$default","stage":"$default"},` +
	`"isBase64Encoded":false}`

// connectRule leaves a rule that is there as it is: made anew it would begin its
// period anew.
func connectRule(ctx context.Context, at Attachment, t Trigger, sid string) error {
	doing := "schedule " + t.Source
	if at.unchanged(t) {
		if err := aim(ctx, at, doing, sid); awserr.Code(err) != "ResourceNotFoundException" {
			return err
		}
	}
	_, err := at.Events.PutRule(ctx, &eventbridge.PutRuleInput{
		Name: &sid, ScheduleExpression: &t.Source, State: eventtypes.RuleStateEnabled, Description: aws.String("invokes function " + at.Name.String() + " of faas-lambda"),
	})
	if err != nil {
		return awserr.Wrap(doing, err)
	}
	return aim(ctx, at, doing, sid)
}

// aim lets a rule invoke the function.
func aim(ctx context.Context, at Attachment, doing, sid string) error {
	out, err := at.Events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &sid, Targets: []eventtypes.Target{{Id: aws.String(ruleTarget), Arn: aws.String(at.aliasARN()), Input: aws.String(scheduled)}}})
	if err == nil && out.FailedEntryCount > 0 && len(out.FailedEntries) > 0 {
		return fmt.Errorf("%s: %s (%s)", doing, aws.ToString(out.FailedEntries[0].ErrorMessage), aws.ToString(out.FailedEntries[0].ErrorCode))
	}
	return awserr.Wrap(doing, err)
}

// ruleTarget is the id of a rule's one target.
const ruleTarget = "function"

func disconnectRule(ctx context.Context, at Attachment, sid, _ string) error {
	var gone *eventtypes.ResourceNotFoundException
	_, err := at.Events.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &sid, Ids: []string{ruleTarget}})
	if errors.As(err, &gone) {
		return nil
	}
	if err == nil {
		_, err = at.Events.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &sid})
	}
	if errors.As(err, &gone) {
		return nil
	}
	return awserr.Wrap("remove rule "+sid, err)
}
