package sqs

import (
	"errors"
	"fmt"
	"time"
)

// What other services do with queues, by their ARNs.

// ErrNoQueue is what an error wraps where there is no such queue.
var ErrNoQueue = errors.New("the specified queue does not exist")

// Message is a message as event source mappings hand it on.
type Message struct {
	ID, Receipt, Body, MD5 string
	Attributes             map[string]string // that SQS gives it
	Custom                 map[string]Value  // that its sender gave it
}

// Value of a message's attribute.
type Value struct {
	DataType string
	Text     string
	Binary   []byte
}

// at runs f on a queue.
func (s *Store) at(arn string, f func(q *queue) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.byARN(arn)
	if q == nil {
		return fmt.Errorf("%w: %s", ErrNoQueue, arn)
	}
	return f(q)
}

// Receive takes up to limit messages out of sight for the queue's visibility timeout. Where there are none it waits until some come, wait has
// passed or done is closed.
func (s *Store) Receive(done <-chan struct{}, arn string, limit int, wait time.Duration) ([]Message, error) {
	var name string
	var visibility time.Duration
	err := s.at(arn, func(q *queue) error {
		name, visibility = q.Name, q.seconds("VisibilityTimeout")
		return nil
	})
	if err != nil {
		return nil, err
	}
	taken, err := s.wait(done, name, min(limit, maxBatch), visibility, wait)
	if err != nil {
		return nil, errors.Join(err, s.at(arn, func(*queue) error { return nil })) // it may have been deleted meanwhile
	}
	var out []Message
	for _, m := range taken {
		one := Message{ID: m.ID, Receipt: m.receipt(), Body: m.Body, MD5: digest(m.Body), Attributes: m.system(), Custom: map[string]Value{}}
		for name, a := range m.Custom {
			one.Custom[name] = Value{DataType: a.DataType, Text: a.text(), Binary: a.BinaryValue}
		}
		out = append(out, one)
	}
	return out, nil
}

// Delete removes messages that have been received.
func (s *Store) Delete(arn string, receipts []string) error {
	return s.each(arn, receipts, s.remove)
}

// Release makes messages visible again.
func (s *Store) Release(arn string, receipts []string) error {
	return s.each(arn, receipts, func(q *queue, receipt string) error { return s.hide(q, receipt, 0) })
}

func (s *Store) each(arn string, receipts []string, do func(q *queue, receipt string) error) error {
	return s.at(arn, func(q *queue) error {
		var all error
		for _, receipt := range receipts {
			all = errors.Join(all, do(q, receipt))
		}
		return all
	})
}

// sender of what other services send.
const sender = "SERVICE"

// Send adds a message. Group and its deduplication id, which may be empty, are for FIFO queues.
func (s *Store) Send(arn, body string, attributes map[string]Value, group, deduplication string) error {
	return s.at(arn, func(q *queue) error {
		e := entry{MessageBody: body, MessageGroupId: group, MessageDeduplicationId: deduplication, MessageAttributes: map[string]attribute{}}
		for name, v := range attributes {
			e.MessageAttributes[name] = attribute{DataType: v.DataType, StringValue: &v.Text, BinaryValue: v.Binary}
			if v.Binary != nil {
				e.MessageAttributes[name] = attribute{DataType: v.DataType, BinaryValue: v.Binary}
			}
		}
		_, err := s.send(sender, q, e)
		return err
	})
}

// Visibility returns how long messages of a queue are out of sight once they have been received, and whether their order counts.
func (s *Store) Visibility(arn string) (timeout time.Duration, fifo bool, err error) {
	err = s.at(arn, func(q *queue) error {
		timeout, fifo = q.seconds("VisibilityTimeout"), q.fifo()
		return nil
	})
	return timeout, fifo, err
}
