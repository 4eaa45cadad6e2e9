package sns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// message is what is published.
type message struct {
	Id                string // of a batch
	Message           string
	Subject           string
	MessageStructure  string
	MessageAttributes map[string]Value
}

type published struct {
	Id        string `json:",omitempty"` // of a batch
	MessageId string
}

// maxMessage is the largest, in bytes, its attributes included.
const maxMessage = 256 << 10

func (s *Store) publishMessage(_ context.Context, in *struct {
	TopicArn, TargetArn, PhoneNumber string
	message
}) (published, error) {
	arn := in.TopicArn
	if arn == "" {
		arn = in.TargetArn
	}
	if arn == "" {
		return published{}, invalid("TopicArn or TargetArn Reason: no value for required parameter")
	}
	return s.publish(arn, in.message)
}

// Publish sends a message to a topic's subscribers; attributes are strings. An error wraps ErrNoTopic where there is no such topic.
func (s *Store) Publish(arn, text string, attributes map[string]string) error {
	m := message{Message: text, MessageAttributes: map[string]Value{}}
	for name, value := range attributes {
		m.MessageAttributes[name] = Value{DataType: "String", StringValue: value}
	}
	if _, err := s.find(arn); err != nil {
		return fmt.Errorf("%w: %s", ErrNoTopic, arn)
	}
	_, err := s.publish(arn, m)
	return err
}

func (s *Store) publish(arn string, m message) (published, error) {
	t, err := s.find(arn)
	if err != nil {
		return published{}, err
	}
	texts, err := m.texts()
	if err != nil {
		return published{}, err
	}
	id, at := wire.NewID(), s.opts.Now().UTC()
	for _, sub := range t.Subscriptions {
		if !sub.wants(m) {
			continue
		}
		text, ok := texts[sub.Protocol]
		if !ok {
			text = texts["default"]
		}
		n := notification{t, sub, id, at, m, text}
		if s.opts.Deliver(n.delivery()) != nil {
			s.giveUp(n)
		}
	}
	return published{Id: m.Id, MessageId: id}, nil
}

// texts are the message for each protocol, and by default.
func (m message) texts() (map[string]string, error) {
	size := len(m.Message)
	for name, v := range m.MessageAttributes {
		size += len(name) + len(v.DataType) + len(v.StringValue) + len(v.BinaryValue)
		kind, _, _ := strings.Cut(v.DataType, ".")
		switch {
		case kind != "String" && kind != "Number" && kind != "Binary":
			return nil, wire.Refuse("ParameterValueInvalid", "The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
		case v.StringValue == "" && len(v.BinaryValue) == 0:
			return nil, wire.Refuse("ParameterValueInvalid", "The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, v.DataType)
		}
	}
	switch {
	case m.Message == "":
		return nil, invalid("Empty message")
	case size > maxMessage:
		return nil, invalid("Message too long")
	case len(m.Subject) > 100:
		return nil, invalid("Subject")
	case m.MessageStructure == "":
		return map[string]string{"default": m.Message}, nil
	case m.MessageStructure != "json":
		return nil, invalid("MessageStructure")
	}
	var texts map[string]string
	if json.Unmarshal([]byte(m.Message), &texts) != nil {
		return nil, invalid("Message Structure - JSON message body failed to parse")
	}
	if _, ok := texts["default"]; !ok {
		return nil, invalid("Message Structure - No default entry in JSON message body")
	}
	return texts, nil
}

// wants tells whether a subscription's filter lets a message pass.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html
func (sub *subscription) wants(m message) bool {
	pattern := sub.patternOf()
	if pattern == nil {
		return true
	}
	if sub.Attributes["FilterPolicyScope"] == scopeBody {
		return pattern.MatchJSON([]byte(m.Message))
	}
	values := map[string]any{}
	for name, v := range m.MessageAttributes {
		switch {
		case v.DataType == "Number":
			if n, err := strconv.ParseFloat(v.StringValue, 64); err == nil {
				values[name] = n
			}
		case v.DataType == "String.Array":
			var list []any
			if json.Unmarshal([]byte(v.StringValue), &list) == nil {
				values[name] = list
			}
		case strings.HasPrefix(v.DataType, "String"):
			values[name] = v.StringValue
		}
	}
	return pattern.Match(values)
}

// giveUp sends what could not be delivered to the subscription's dead letters, if it has some.
func (s *Store) giveUp(n notification) {
	to := deadLetters(n.sub.Attributes["RedrivePolicy"])
	if to == "" {
		return
	}
	_ = s.opts.Deliver(Delivery{Topic: n.topic.ARN, Protocol: protocolQueue, Endpoint: to, Payload: n.wrapped()}) // it is lost, as on AWS
}

type failed struct {
	Id, Code, Message string
	SenderFault       bool
}

type batchAnswer struct {
	Successful []published
	Failed     []failed
}

func (s *Store) publishBatch(_ context.Context, in *struct {
	TopicArn                   string
	PublishBatchRequestEntries []message
}) (batchAnswer, error) {
	out := batchAnswer{Successful: []published{}, Failed: []failed{}}
	if _, err := s.find(in.TopicArn); err != nil {
		return out, err
	}
	seen := map[string]bool{}
	for _, m := range in.PublishBatchRequestEntries {
		if seen[m.Id] {
			return out, wire.Refuse("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
		}
		seen[m.Id] = true
	}
	switch n := len(in.PublishBatchRequestEntries); {
	case n == 0:
		return out, wire.Refuse("EmptyBatchRequest", "The batch request doesn't contain any entries.")
	case n > 10:
		return out, wire.Refuse("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
	}
	for _, m := range in.PublishBatchRequestEntries {
		one, err := s.publish(in.TopicArn, m)
		var known *wire.Error
		switch {
		case err == nil:
			out.Successful = append(out.Successful, one)
		case errors.As(err, &known):
			out.Failed = append(out.Failed, failed{m.Id, known.Code, known.Message, true})
		default:
			return out, err
		}
	}
	return out, nil
}
