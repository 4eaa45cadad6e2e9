package emulator

import (
	"fmt"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/events"
	"github.com/faas-lambda/faas-lambda/emulator/sns"
	"github.com/faas-lambda/faas-lambda/emulator/sqs"
)

// pushed is an event that a service sends by itself.
type pushed struct {
	service string // principal
	source  string // ARN of the bucket, topic or rule
	to      string // ARN
	payload []byte
}

// push delivers an event to a function, if its policy lets the service invoke it on behalf of the source, or to a queue or topic, whose policies
// nobody asks.
func (s *Server) push(p pushed) error {
	switch {
	case strings.HasPrefix(p.to, "arn:aws:sqs:"):
		return s.services.queues.Send(p.to, string(p.payload), nil, "", "")
	case strings.HasPrefix(p.to, "arn:aws:sns:"):
		return s.services.topics.Publish(p.to, string(p.payload), nil)
	case !strings.HasPrefix(p.to, "arn:aws:lambda:"):
		return fmt.Errorf("the embedded AWS does not deliver to %s", p.to)
	}
	if err := s.services.lambda.Invites(p.to, p.service, p.source); err != nil {
		return err
	}
	return s.services.lambda.InvokeLater(p.to, p.payload)
}

// dropped warns of what could not be delivered.
func (s *Server) dropped(to string, err error) {
	if err != nil && s.ctx.Err() == nil {
		s.opts.Logger.Warn("event was dropped", "destination", to, "error", err)
	}
}

// notifyOf delivers an event of a bucket.
func (s *Server) notifyOf(bucket, destination string, payload []byte) {
	s.dropped(destination, s.push(pushed{service: "s3.amazonaws.com", source: "arn:aws:s3:::" + bucket, to: destination, payload: payload}))
}

// deliverEvent gives an event of a rule to a target.
func (s *Server) deliverEvent(d events.Delivery) error {
	err := s.push(pushed{service: "events.amazonaws.com", source: d.Rule, to: d.Target, payload: d.Payload})
	s.dropped(d.Target, err)
	return err
}

// takes tells whether a destination can be notified of a bucket: S3 looks when notifications are set.
func (s *Server) takes(bucket, destination string) bool {
	switch {
	case strings.HasPrefix(destination, "arn:aws:lambda:"):
		return s.services.lambda.Takes(destination, "s3.amazonaws.com", "arn:aws:s3:::"+bucket)
	case strings.HasPrefix(destination, "arn:aws:sqs:"):
		_, _, err := s.services.queues.Visibility(destination)
		return err == nil
	}
	return true
}

// deliver gives a topic's message to a subscriber.
func (s *Server) deliver(d sns.Delivery) error {
	var err error
	if d.Protocol == "sqs" {
		values := map[string]sqs.Value{}
		for name, v := range d.Attributes {
			values[name] = sqs.Value{DataType: v.DataType, Text: v.StringValue, Binary: v.BinaryValue}
		}
		err = s.services.queues.Send(d.Endpoint, string(d.Payload), values, "", "")
	} else {
		err = s.push(pushed{service: "sns.amazonaws.com", source: d.Topic, to: d.Endpoint, payload: d.Payload})
	}
	s.dropped(d.Endpoint, err)
	return err
}
