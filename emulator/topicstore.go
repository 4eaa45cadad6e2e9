package emulator

import (
	"errors"

	"github.com/faas-lambda/faas-lambda/emulator/sns"
	"github.com/faas-lambda/faas-lambda/emulator/sqs"
)

// topicStore is SNS as Lambda uses it.
type topicStore struct{ store *sns.Store }

func (t topicStore) Publish(topic, message string, attributes map[string]string) error {
	err := t.store.Publish(topic, message, attributes)
	if errors.Is(err, sns.ErrNoTopic) {
		return errNoTopic
	}
	return err
}

// deliver gives a topic's message to a subscriber.
func (s *Server) deliver(d sns.Delivery) error {
	var err error
	if d.Protocol == "sqs" {
		values := map[string]sqs.Value{}
		for name, v := range d.Attributes {
			values[name] = sqs.Value{DataType: v.DataType, Text: v.StringValue, Binary: v.BinaryValue}
		}
		err = theirQueue(s.services.queues.Send(d.Endpoint, string(d.Payload), values, "", ""))
	} else {
		err = s.push(pushed{service: "sns.amazonaws.com", source: d.Topic, to: d.Endpoint, payload: d.Payload})
	}
	s.dropped(d.Endpoint, err)
	return err
}
