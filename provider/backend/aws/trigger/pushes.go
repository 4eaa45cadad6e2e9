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
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// pusher is a service that invokes functions by itself, and needs a permission
// to. connect may find what it makes already there, disconnect may find it gone.
type pusher struct {
	principal  string
	source     func(at Attachment, t Trigger, sid string) string // ARN
	connect    func(ctx context.Context, at Attachment, t Trigger, sid string) error
	disconnect func(ctx context.Context, at Attachment, sid, source string) error
}

var pushers = map[string]pusher{
	"s3":       {"s3.amazonaws.com", bucketARN, connectBucket, disconnectBucket},
	"sns":      {"sns.amazonaws.com", func(_ Attachment, t Trigger, _ string) string { return t.Source }, connectTopic, disconnectTopic},
	"schedule": {"events.amazonaws.com", ruleARN, connectRule, disconnectRule},
}

func pushed(t Trigger) bool { return pushers[t.Kind].principal != "" }

// setPushes makes and removes what invokes the function by itself. The
// permission is there first and goes last, and so tells what there is.
func setPushes(ctx context.Context, at Attachment) error {
	if !at.concerns(pushed) {
		return nil
	}
	there, err := at.permissions(ctx)
	if err != nil {
		return err
	}
	wanted, topics := map[string]bool{}, map[string]bool{}
	for _, t := range at.wanted(pushed) {
		sid, with := t.sid(at.Function), pushers[t.Kind]
		wanted[sid] = true
		if t.Kind == "sns" {
			topics[t.Source] = true
		}
		if at.Late {
			continue
		}
		if _, ok := there[sid]; !ok {
			if err := at.allow(ctx, t, sid); err != nil {
				return t.refused(err)
			}
		}
		if err := with.connect(ctx, at, t, sid); err != nil {
			return t.refused(err)
		}
	}
	if !at.Late {
		return nil
	}
	for sid, s := range there {
		with, ok := pushers[kindOf(sid)]
		if !ok || wanted[sid] {
			continue
		}
		// A topic has one subscription of a function, whatever its options.
		if !topics[s.source()] {
			if err := with.disconnect(ctx, at, sid, s.source()); err != nil {
				return left(err)
			}
		}
		if err := at.forbid(ctx, sid); err != nil {
			return left(err)
		}
	}
	return nil
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
