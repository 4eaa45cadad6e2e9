package emulator

import (
	"fmt"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/events"
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
	if !strings.HasPrefix(p.to, "arn:aws:lambda:") {
		return s.send(p.to, string(p.payload), nil)
	}
	if err := s.invites(p.to, p.service, p.source); err != nil {
		return err
	}
	return s.invokeLater(p.to, p.payload)
}

// invites says why a function's policy does not let a service invoke it.
func (s *Server) invites(function, service, source string) error {
	q, ok := parseRef(function, nameRegexp)
	if !ok {
		return fmt.Errorf("%s is no function", function)
	}
	ask := asking{action: invokeAction, service: service, context: map[string]string{
		strings.ToLower(sourceARNKey): source, strings.ToLower(sourceAccountKey): s.opts.Account,
	}}
	if !s.attachedTo(q).Policy.permits(ask) {
		return fmt.Errorf("the policy of %s does not let %s invoke it on behalf of %s", function, service, source)
	}
	return nil
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
		q, ok := parseRef(destination, nameRegexp)
		return ok && s.invocable(q) == nil && s.invites(destination, "s3.amazonaws.com", "arn:aws:s3:::"+bucket) == nil
	case strings.HasPrefix(destination, "arn:aws:sqs:"):
		_, _, err := s.hooks.queues.Visibility(destination)
		return err == nil
	}
	return true
}
