package sns

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// none is the answer of what has nothing to say.
type none struct{}

type topicARN struct{ TopicArn string }

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

type tag struct{ Key, Value string }

// topicAttributes are those that can be set; they are kept without effect.
var topicAttributes = []string{"DisplayName", "Policy", "DeliveryPolicy", "KmsMasterKeyId", "TracingConfig", "SignatureVersion", "LambdaSuccessFeedbackRoleArn",
	"LambdaSuccessFeedbackSampleRate", "LambdaFailureFeedbackRoleArn", "SQSSuccessFeedbackRoleArn", "SQSSuccessFeedbackSampleRate", "SQSFailureFeedbackRoleArn"}

func (s *Store) createTopic(_ context.Context, in *struct {
	Name       string
	Attributes map[string]string
	Tags       []tag
}) (topicARN, error) {
	if !nameForm.MatchString(in.Name) {
		return topicARN{}, invalid("Topic Name")
	}
	for name := range in.Attributes {
		if !slices.Contains(topicAttributes, name) {
			return topicARN{}, invalid("Attributes Reason: Unknown attribute: %s", name)
		}
	}
	arn := "arn:aws:sns:" + s.opts.Region + ":" + s.opts.Account + ":" + in.Name
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.topics[arn]; old != nil {
		for name, value := range in.Attributes {
			if old.Attributes[name] != value {
				return topicARN{}, invalid("Attributes Reason: Topic already exists with different attributes")
			}
		}
		return topicARN{arn}, nil
	}
	return topicARN{arn}, s.replace(arn, &topic{ARN: arn, Attributes: in.Attributes, Tags: withTags(nil, in.Tags)})
}

// deleteTopic does not mind a topic that is not there (AWS).
func (s *Store) deleteTopic(_ context.Context, in *topicARN) (none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics[in.TopicArn] == nil {
		return none{}, nil
	}
	return none{}, s.replace(in.TopicArn, nil)
}

type topicsAnswer struct {
	Topics    []topicARN
	NextToken string `json:",omitempty"`
}

// maxListed is how many topics or subscriptions one answer lists.
const maxListed = 100

func (s *Store) listTopics(_ context.Context, in *struct{ NextToken string }) (topicsAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arns, next := page(slices.Sorted(maps.Keys(s.topics)), in.NextToken)
	out := topicsAnswer{Topics: []topicARN{}, NextToken: next}
	for _, arn := range arns {
		out.Topics = append(out.Topics, topicARN{arn})
	}
	return out, nil
}

// page returns what comes from a key on, which are sorted, and the key to go on with.
func page(keys []string, from string) (some []string, next string) {
	at, _ := slices.BinarySearch(keys, from)
	keys = keys[at:]
	if len(keys) <= maxListed {
		return keys, ""
	}
	return keys[:maxListed], keys[maxListed]
}

type attributesAnswer struct{ Attributes map[string]string }

func (s *Store) getTopicAttributes(_ context.Context, in *topicARN) (attributesAnswer, error) {
	t, err := s.find(in.TopicArn)
	if err != nil {
		return attributesAnswer{}, err
	}
	all := map[string]string{
		"TopicArn": t.ARN, "Owner": s.opts.Account, "DisplayName": "", "SubscriptionsConfirmed": strconv.Itoa(len(t.Subscriptions)),
		"SubscriptionsPending": "0", "SubscriptionsDeleted": "0",
	}
	maps.Copy(all, t.Attributes)
	return attributesAnswer{all}, nil
}

func (s *Store) setTopicAttributes(_ context.Context, in *struct{ TopicArn, AttributeName, AttributeValue string }) (none, error) {
	if !slices.Contains(topicAttributes, in.AttributeName) {
		return none{}, invalid("AttributeName")
	}
	return none{}, s.edit(in.TopicArn, func(t topic) (*topic, error) {
		if t.Attributes == nil {
			t.Attributes = map[string]string{}
		}
		t.Attributes[in.AttributeName] = in.AttributeValue
		return &t, nil
	})
}

func withTags(tags map[string]string, more []tag) map[string]string {
	if tags == nil {
		tags = map[string]string{}
	}
	for _, t := range more {
		tags[t.Key] = t.Value
	}
	return tags
}

// ofTags words the error of a topic that is not there as tags' operations do.
func ofTags(err error) error {
	if known := (*wire.Error)(nil); errors.As(err, &known) && known.Code == "NotFound" {
		return &wire.Error{Code: "ResourceNotFound", Message: "Resource does not exist", Status: known.Status}
	}
	return err
}

func (s *Store) tagResource(_ context.Context, in *struct {
	ResourceArn string
	Tags        []tag
}) (none, error) {
	return none{}, ofTags(s.edit(in.ResourceArn, func(t topic) (*topic, error) {
		t.Tags = withTags(t.Tags, in.Tags)
		return &t, nil
	}))
}

func (s *Store) untagResource(_ context.Context, in *struct {
	ResourceArn string
	TagKeys     []string
}) (none, error) {
	return none{}, ofTags(s.edit(in.ResourceArn, func(t topic) (*topic, error) {
		for _, key := range in.TagKeys {
			delete(t.Tags, key)
		}
		return &t, nil
	}))
}

type tagsAnswer struct{ Tags []tag }

func (s *Store) listTags(_ context.Context, in *struct{ ResourceArn string }) (tagsAnswer, error) {
	t, err := s.find(in.ResourceArn)
	if err != nil {
		return tagsAnswer{}, ofTags(err)
	}
	out := tagsAnswer{Tags: []tag{}}
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		out.Tags = append(out.Tags, tag{key, t.Tags[key]})
	}
	return out, nil
}
