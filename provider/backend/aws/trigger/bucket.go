package trigger

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

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
// not to: then what is gone of theirs is in nobody's way. Where the change is
// none, which it tells, nothing is written.
func notifications(ctx context.Context, at Attachment, bucket string, unchecked bool, change func([]s3types.LambdaFunctionConfiguration) (list []s3types.LambdaFunctionConfiguration, changed bool)) error {
	doing := "notify of bucket " + bucket
	has, err := at.S3.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: &bucket})
	if err != nil {
		return awserr.Wrap(doing, err)
	}
	functions, changed := change(has.LambdaFunctionConfigurations)
	if !changed {
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
	replaces := false // a notification of the function that is not wanted any more
	err := notifications(ctx, at, t.Source, false, func(list []s3types.LambdaFunctionConfiguration) ([]s3types.LambdaFunctionConfiguration, bool) {
		if slices.ContainsFunc(list, named(sid)) {
			return list, false // its id says all that is in it
		}
		replaces = slices.ContainsFunc(list, at.unwanted)
		return append(list, c), true
	})
	if !replaces || awserr.Code(err) != "InvalidArgument" {
		return err
	}
	// S3 has no two notifications of one event, and would never take the new one
	// beside the one in whose place it comes. That one goes now, not when the new
	// deployment serves; if it never does, this brings it back in the same way.
	return notifications(ctx, at, t.Source, false, func(list []s3types.LambdaFunctionConfiguration) ([]s3types.LambdaFunctionConfiguration, bool) {
		return append(slices.DeleteFunc(slices.Clone(list), at.unwanted), c), true
	})
}

// unwanted tells the function's own notifications that no wanted trigger has.
func (at Attachment) unwanted(c s3types.LambdaFunctionConfiguration) bool {
	id := aws.ToString(c.Id)
	return kindOf(id) == "s3" && aws.ToString(c.LambdaFunctionArn) == at.aliasARN() &&
		!slices.ContainsFunc(at.Want, func(t Trigger) bool { return t.sid(at.Function) == id })
}

func named(id string) func(s3types.LambdaFunctionConfiguration) bool {
	return func(c s3types.LambdaFunctionConfiguration) bool { return aws.ToString(c.Id) == id }
}

func disconnectBucket(ctx context.Context, at Attachment, sid, source string) error {
	_, bucket, _ := strings.Cut(source, ":::")
	err := notifications(ctx, at, bucket, true, func(list []s3types.LambdaFunctionConfiguration) ([]s3types.LambdaFunctionConfiguration, bool) {
		return slices.DeleteFunc(slices.Clone(list), named(sid)), slices.ContainsFunc(list, named(sid))
	})
	if awserr.Code(err) == "NoSuchBucket" {
		return nil
	}
	return err
}
