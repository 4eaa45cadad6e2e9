package sqs

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// received is a message as ReceiveMessage hands it out.
type received struct {
	MessageId              string
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string    `json:",omitempty" query:"Attribute"`
	MD5OfMessageAttributes string               `json:",omitempty"`
	MessageAttributes      map[string]attribute `json:",omitempty" query:"MessageAttribute"`
}

type receiveAnswer struct {
	Messages []received `json:",omitempty" query:"Message"`
}

func (s *Store) receiveMessage(ctx context.Context, in *struct {
	queueURL
	AttributeNames              []string `query:"AttributeName"`
	MessageSystemAttributeNames []string `query:"MessageSystemAttributeName"`
	MessageAttributeNames       []string `query:"MessageAttributeName"`
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
}) (out receiveAnswer, err error) {
	want := 1
	if in.MaxNumberOfMessages != nil {
		want = *in.MaxNumberOfMessages
	}
	switch {
	case want < 1 || want > maxBatch:
		return out, wire.Refuse("InvalidParameterValue", "Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", want)
	case in.WaitTimeSeconds != nil && (*in.WaitTimeSeconds < 0 || *in.WaitTimeSeconds > 20):
		return out, wire.Refuse("InvalidParameterValue", "Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", *in.WaitTimeSeconds)
	case in.VisibilityTimeout != nil && !visibilityAllowed(*in.VisibilityTimeout):
		return out, badVisibility(*in.VisibilityTimeout)
	}
	q, err := with(s, in.QueueUrl, func(q *queue) (*queue, error) { return q, nil })
	if err != nil {
		return out, err
	}
	visibility, wait := q.seconds("VisibilityTimeout"), q.seconds("ReceiveMessageWaitTimeSeconds")
	if in.VisibilityTimeout != nil {
		visibility = time.Duration(*in.VisibilityTimeout) * time.Second
	}
	if in.WaitTimeSeconds != nil {
		wait = time.Duration(*in.WaitTimeSeconds) * time.Second
	}
	messages, err := s.wait(ctx.Done(), q.Name, want, visibility, wait)
	if err != nil {
		return out, err
	}
	for _, m := range messages {
		out.Messages = append(out.Messages, m.told(slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames), in.MessageAttributeNames))
	}
	return out, nil
}

// wait takes messages out of sight, and waits for some where there are none. What it returns are copies.
func (s *Store) wait(done <-chan struct{}, name string, want int, visibility, wait time.Duration) ([]message, error) {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for {
		s.mu.Lock()
		q := s.queues[name]
		if q == nil {
			s.mu.Unlock()
			return nil, noQueue()
		}
		messages, next, err := s.take(q, want, visibility)
		arrived := q.arrived
		s.mu.Unlock()
		if err != nil || len(messages) > 0 || wait <= 0 {
			return messages, err
		}
		again := time.NewTimer(next)
		select {
		case <-arrived:
		case <-again.C:
		case <-limit.C:
			wait = 0
		case <-done:
			wait = 0
		case <-s.closed:
			wait = 0
		}
		again.Stop()
		if wait == 0 {
			return nil, nil
		}
	}
}

// take takes messages that are visible; next is when another may be. The caller holds mu.
func (s *Store) take(q *queue, want int, visibility time.Duration) (taken []message, next time.Duration, err error) {
	now := s.opts.Now()
	next = time.Hour
	blocked := q.inFlight(now)
	for _, m := range slices.Clone(q.messages) {
		switch {
		case len(taken) == want:
			return taken, 0, nil
		case now.Sub(m.Sent) >= q.seconds("MessageRetentionPeriod"):
			if err := s.drop(q, m); err != nil {
				return nil, 0, err
			}
			continue
		case m.VisibleAt.After(now):
			next = min(next, m.VisibleAt.Sub(now))
			if m.Group != "" && q.fifo() {
				blocked[m.Group] = true
			}
			continue
		case blocked[m.Group]:
			continue
		}
		if moved, err := s.giveUp(q, m); err != nil {
			return nil, 0, err
		} else if moved {
			continue
		}
		m.Receives++
		if m.Receives == 1 {
			m.First = now
		}
		m.VisibleAt = now.Add(visibility)
		if err := s.put(q, m); err != nil {
			return nil, 0, err
		}
		taken = append(taken, *m)
	}
	return taken, next, nil
}

// inFlight are the groups of a FIFO queue whose messages somebody works on: the rest of the group waits.
func (q *queue) inFlight(now time.Time) map[string]bool {
	groups := map[string]bool{}
	if !q.fifo() {
		return groups
	}
	for _, m := range q.messages {
		if m.Receives > 0 && m.VisibleAt.After(now) {
			groups[m.Group] = true
		}
	}
	return groups
}

// giveUp moves a message that was received too often to the dead-letter queue. The caller holds mu.
func (s *Store) giveUp(q *queue, m *message) (bool, error) {
	r, ok := q.redrive()
	if !ok || m.Receives < r.most() {
		return false, nil
	}
	dead := s.byARN(r.DeadLetterTargetArn)
	if dead == nil {
		return false, nil // it stays, as long as there is no such queue
	}
	moved := *m
	moved.Number, moved.Receives, moved.First, moved.VisibleAt, moved.Source = s.next, 0, time.Time{}, s.opts.Now(), s.arn(q.Name)
	if err := s.add(dead, &moved); err != nil {
		return false, err
	}
	return true, s.drop(q, m)
}

// told is a message with the attributes that are asked for.
func (m message) told(system, custom []string) received {
	out := received{MessageId: m.ID, ReceiptHandle: m.receipt(), MD5OfBody: digest(m.Body), Body: m.Body}
	for name, value := range m.system() {
		if slices.Contains(system, "All") || slices.Contains(system, name) {
			if out.Attributes == nil {
				out.Attributes = map[string]string{}
			}
			out.Attributes[name] = value
		}
	}
	for name, value := range m.Custom {
		if slices.ContainsFunc(custom, func(want string) bool { return asked(want, name) }) {
			if out.MessageAttributes == nil {
				out.MessageAttributes = map[string]attribute{}
			}
			out.MessageAttributes[name] = value
		}
	}
	out.MD5OfMessageAttributes = digestAttributes(out.MessageAttributes)
	return out
}

// asked tells whether a name is one of All, .*, prefix.* or the name itself.
func asked(want, name string) bool {
	prefix, open := strings.CutSuffix(want, "*")
	return want == "All" || want == name || open && strings.HasPrefix(name, strings.TrimSuffix(prefix, "."))
}

// system are the attributes that SQS gives a message.
func (m message) system() map[string]string {
	all := map[string]string{
		"SenderId": m.Sender, "SentTimestamp": milliseconds(m.Sent), "ApproximateReceiveCount": strconv.Itoa(m.Receives),
		"ApproximateFirstReceiveTimestamp": milliseconds(m.First),
	}
	for name, value := range map[string]string{"AWSTraceHeader": m.Trace, "MessageGroupId": m.Group, "MessageDeduplicationId": m.Duplicate, "DeadLetterQueueSourceArn": m.Source} {
		if value != "" {
			all[name] = value
		}
	}
	if m.Duplicate != "" {
		all["SequenceNumber"] = m.sequence()
	}
	return all
}

func milliseconds(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
