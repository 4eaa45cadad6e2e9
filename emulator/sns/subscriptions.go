package sns

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/filter"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

type subscriptionARN struct{ SubscriptionArn string }

const (
	protocolLambda = "lambda"
	protocolQueue  = "sqs"
)

func (s *Store) subscribe(_ context.Context, in *struct {
	TopicArn, Protocol, Endpoint string
	Attributes                   map[string]string
}) (out subscriptionARN, err error) {
	switch {
	case in.Protocol != protocolLambda && in.Protocol != protocolQueue:
		return out, invalid("Protocol Reason: the embedded AWS delivers to lambda and sqs, not to %s", in.Protocol)
	case !strings.HasPrefix(in.Endpoint, "arn:aws:"+in.Protocol+":"):
		return out, invalid("%s endpoint ARN", map[string]string{protocolLambda: "Lambda", protocolQueue: "SQS"}[in.Protocol])
	}
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		if err := checkAttribute(name, in.Attributes[name], in.Attributes["FilterPolicyScope"]); err != nil {
			return out, err
		}
	}
	err = s.edit(in.TopicArn, func(t topic) (*topic, error) {
		for _, sub := range t.Subscriptions {
			if sub.Protocol != in.Protocol || sub.Endpoint != in.Endpoint {
				continue
			}
			for name, value := range in.Attributes { // those that are not named stay what they are
				if sub.Attributes[name] != value {
					return nil, invalid("Attributes Reason: Subscription already exists with different attributes")
				}
			}
			out.SubscriptionArn = sub.ARN
			return &t, nil
		}
		out.SubscriptionArn = t.ARN + ":" + wire.NewID()
		t.Subscriptions = append(t.Subscriptions, &subscription{ARN: out.SubscriptionArn, Protocol: in.Protocol, Endpoint: in.Endpoint, Attributes: in.Attributes})
		return &t, nil
	})
	return out, err
}

// checkAttribute says what is wrong with an attribute of a subscription. scope is that of its filter policy; "" for the default.
// https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html
func checkAttribute(name, value, scope string) error {
	switch name {
	case "FilterPolicy":
		return checkFilter(value, scope)
	case "FilterPolicyScope":
		if value != "" && value != scopeAttributes && value != scopeBody {
			return invalid("Attributes Reason: FilterPolicyScope: Invalid value [%s]. Please use either MessageBody or MessageAttributes", value)
		}
	case "RawMessageDelivery":
		if value != "true" && value != "false" {
			return invalid("Attributes Reason: RawMessageDelivery: Invalid value [%s]. Must be true or false.", value)
		}
	case "RedrivePolicy":
		if value != "" && deadLetters(value) == "" {
			return invalid("Attributes Reason: RedrivePolicy: failed to parse JSON.")
		}
	case "DeliveryPolicy", "SubscriptionRoleArn":
	default:
		return invalid("AttributeName")
	}
	return nil
}

const (
	scopeAttributes = "MessageAttributes"
	scopeBody       = "MessageBody"
)

func checkFilter(value, scope string) error {
	if value == "" {
		return nil
	}
	if _, err := filter.Parse([]byte(value)); err != nil {
		return invalid("Attributes Reason: FilterPolicy: %v", err)
	}
	var members map[string]json.RawMessage
	if scope == scopeBody || json.Unmarshal([]byte(value), &members) != nil {
		return nil
	}
	for name, rules := range members {
		if strings.HasPrefix(strings.TrimSpace(string(rules)), "{") {
			return invalid("Attributes Reason: FilterPolicy: Filter policy scope MessageAttributes does not support nested filter policy: %s", name)
		}
	}
	return nil
}

// deadLetters is the queue of a redrive policy; "" for none.
func deadLetters(policy string) string {
	var p struct {
		Target string `json:"deadLetterTargetArn"`
	}
	if json.Unmarshal([]byte(policy), &p) != nil {
		return ""
	}
	return p.Target
}

// unsubscribe does not mind a subscription that is not there (AWS).
func (s *Store) unsubscribe(_ context.Context, in *subscriptionARN) (none, error) {
	if !strings.HasPrefix(in.SubscriptionArn, "arn:aws:sns:") {
		return none{}, invalid("SubscriptionArn Reason: An ARN must have at least 6 elements, not %d", len(strings.Split(in.SubscriptionArn, ":")))
	}
	s.mu.Lock()
	known := s.topics[topicOf(in.SubscriptionArn)] != nil
	s.mu.Unlock()
	if !known {
		return none{}, nil
	}
	return none{}, s.edit(topicOf(in.SubscriptionArn), func(t topic) (*topic, error) {
		t.Subscriptions = slices.DeleteFunc(t.Subscriptions, func(sub *subscription) bool { return sub.ARN == in.SubscriptionArn })
		return &t, nil
	})
}

type described struct{ SubscriptionArn, Owner, Protocol, Endpoint, TopicArn string }

type subscriptionsAnswer struct {
	Subscriptions []described
	NextToken     string `json:",omitempty"`
}

func (s *Store) listSubscriptions(_ context.Context, in *struct{ NextToken string }) (subscriptionsAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*subscription
	for _, t := range s.topics {
		all = append(all, t.Subscriptions...)
	}
	return s.list(all, in.NextToken), nil
}

func (s *Store) listByTopic(_ context.Context, in *struct{ TopicArn, NextToken string }) (subscriptionsAnswer, error) {
	t, err := s.find(in.TopicArn)
	if err != nil {
		return subscriptionsAnswer{}, err
	}
	return s.list(t.Subscriptions, in.NextToken), nil
}

func (s *Store) list(all []*subscription, from string) subscriptionsAnswer {
	byARN := map[string]*subscription{}
	for _, sub := range all {
		byARN[sub.ARN] = sub
	}
	arns, next := page(slices.Sorted(maps.Keys(byARN)), from)
	out := subscriptionsAnswer{Subscriptions: []described{}, NextToken: next}
	for _, arn := range arns {
		out.Subscriptions = append(out.Subscriptions, described{arn, s.opts.Account, byARN[arn].Protocol, byARN[arn].Endpoint, topicOf(arn)})
	}
	return out
}

// at returns where a subscription is in its topic.
func (t *topic) at(arn string) int {
	return slices.IndexFunc(t.Subscriptions, func(sub *subscription) bool { return sub.ARN == arn })
}

func (s *Store) getAttributes(_ context.Context, in *subscriptionARN) (attributesAnswer, error) {
	t, err := s.find(topicOf(in.SubscriptionArn))
	if err != nil || t.at(in.SubscriptionArn) < 0 {
		return attributesAnswer{}, noSubscription()
	}
	sub := t.Subscriptions[t.at(in.SubscriptionArn)]
	all := map[string]string{
		"SubscriptionArn": sub.ARN, "TopicArn": t.ARN, "Owner": s.opts.Account, "Protocol": sub.Protocol, "Endpoint": sub.Endpoint,
		"PendingConfirmation": "false", "ConfirmationWasAuthenticated": "true", "RawMessageDelivery": "false",
		"SubscriptionPrincipal": "arn:aws:iam::" + s.opts.Account + ":user/local",
	}
	if sub.Attributes["FilterPolicy"] != "" {
		all["FilterPolicyScope"] = scopeAttributes
	}
	maps.Copy(all, sub.Attributes)
	return attributesAnswer{all}, nil
}

func (s *Store) setAttributes(_ context.Context, in *struct{ SubscriptionArn, AttributeName, AttributeValue string }) (none, error) {
	err := s.edit(topicOf(in.SubscriptionArn), func(t topic) (*topic, error) {
		i := t.at(in.SubscriptionArn)
		if i < 0 {
			return nil, noSubscription()
		}
		sub := *t.Subscriptions[i]
		if err := checkAttribute(in.AttributeName, in.AttributeValue, sub.Attributes["FilterPolicyScope"]); err != nil {
			return nil, err
		}
		sub.Attributes = maps.Clone(sub.Attributes)
		if sub.Attributes == nil {
			sub.Attributes = map[string]string{}
		}
		sub.Attributes[in.AttributeName] = in.AttributeValue
		if in.AttributeValue == "" || in.AttributeName == "FilterPolicy" && in.AttributeValue == "{}" {
			delete(sub.Attributes, in.AttributeName)
		}
		t.Subscriptions[i] = &sub
		return &t, nil
	})
	return none{}, err
}
