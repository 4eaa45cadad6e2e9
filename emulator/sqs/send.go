package sqs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// entry is one message to be sent.
type entry struct {
	Id                      string // of a batch
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]attribute `query:"MessageAttribute"`
	MessageSystemAttributes map[string]attribute `query:"MessageSystemAttribute"`
	MessageDeduplicationId  string
	MessageGroupId          string
}

// sent is the answer to it.
type sent struct {
	Id                           string `json:",omitempty"` // of a batch
	MessageId                    string
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	SequenceNumber               string `json:",omitempty"`
}

// duplicate is a message that must not be sent again.
type duplicate struct {
	id, sequence string
	at           time.Time
}

// deduplication is how long a message counts as sent.
const deduplication = 5 * time.Minute

var (
	attributeForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,256}$`)
	idForm        = regexp.MustCompile(`^[\x21-\x7e]{1,128}$`)
	batchIDForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
)

func (s *Store) sendMessage(ctx context.Context, in *struct {
	queueURL
	entry
}) (sent, error) {
	return with(s, in.QueueUrl, func(q *queue) (sent, error) { return s.send(wire.From(ctx).AccessKey, q, in.entry) })
}

// send adds a message of a sender, an access key, to a queue. The caller holds mu.
func (s *Store) send(sender string, q *queue, e entry) (sent, error) {
	if err := checkEntry(q, e); err != nil {
		return sent{}, err
	}
	now := s.opts.Now()
	key := q.deduplicates(&e)
	for old, d := range q.recent {
		if now.Sub(d.at) >= deduplication {
			delete(q.recent, old)
		}
	}
	if d, ok := q.recent[key]; ok && key != "" {
		out := answer(e) // of what came now: its sender checks it
		out.MessageId, out.SequenceNumber = d.id, d.sequence
		return out, nil
	}
	delay := q.seconds("DelaySeconds")
	if e.DelaySeconds != nil {
		delay = time.Duration(*e.DelaySeconds) * time.Second
	}
	m := &message{
		ID: wire.NewID(), Number: s.next, Body: e.MessageBody, Custom: e.MessageAttributes, Trace: e.MessageSystemAttributes["AWSTraceHeader"].text(),
		Sender: sender, Group: e.MessageGroupId, Duplicate: e.MessageDeduplicationId, Sent: now, VisibleAt: now.Add(delay),
	}
	if err := s.add(q, m); err != nil {
		return sent{}, err
	}
	out := answer(e)
	out.MessageId = m.ID
	if q.fifo() {
		out.SequenceNumber = m.sequence()
		q.recent[key] = duplicate{m.ID, out.SequenceNumber, now}
	}
	return out, nil
}

// answer has the digests of what was sent.
func answer(e entry) sent {
	return sent{
		Id: e.Id, MD5OfMessageBody: digest(e.MessageBody), MD5OfMessageAttributes: digestAttributes(e.MessageAttributes),
		MD5OfMessageSystemAttributes: digestAttributes(e.MessageSystemAttributes),
	}
}

// add puts a message at the end of a queue. The caller holds mu.
func (s *Store) add(q *queue, m *message) error {
	if err := s.put(q, m); err != nil {
		return err
	}
	s.next = max(s.next, m.Number) + 1
	q.messages = append(q.messages, m)
	q.wake()
	return nil
}

// sequence is the number as FIFO queues tell it: 20 digits that grow.
func (m *message) sequence() string { return fmt.Sprintf("%020d", m.Number+1) }

// deduplicates returns what tells messages of a FIFO queue apart, and gives the entry the id that its content makes. "" is for other queues.
func (q *queue) deduplicates(e *entry) string {
	if !q.fifo() {
		return ""
	}
	if e.MessageDeduplicationId == "" {
		sum := sha256.Sum256([]byte(e.MessageBody))
		e.MessageDeduplicationId = hex.EncodeToString(sum[:])
	}
	if q.Attributes["DeduplicationScope"] == "messageGroup" {
		return e.MessageGroupId + "/" + e.MessageDeduplicationId
	}
	return e.MessageDeduplicationId
}

func checkEntry(q *queue, e entry) error {
	switch size := e.size(); {
	case e.MessageBody == "":
		return wire.Refuse("MissingParameter", "The request must contain the parameter MessageBody.")
	case size > q.number("MaximumMessageSize"):
		return wire.Refuse("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", q.number("MaximumMessageSize"))
	case !permitted(e.MessageBody):
		return wire.Refuse("InvalidMessageContents", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
	case e.DelaySeconds != nil && (*e.DelaySeconds < 0 || *e.DelaySeconds > 900):
		return wire.Refuse("InvalidParameterValue", "Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", *e.DelaySeconds)
	case q.fifo() && e.DelaySeconds != nil && *e.DelaySeconds > 0:
		return wire.Refuse("InvalidParameterValue", "Value %d for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.", *e.DelaySeconds)
	case q.fifo() && e.MessageGroupId == "":
		return wire.Refuse("MissingParameter", "The request must contain the parameter MessageGroupId.")
	case e.MessageGroupId != "" && !idForm.MatchString(e.MessageGroupId):
		return wire.Refuse("InvalidParameterValue", "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	case !q.fifo() && e.MessageDeduplicationId != "":
		return wire.Refuse("InvalidParameterValue", "Value %s for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type.", e.MessageDeduplicationId)
	case q.fifo() && e.MessageDeduplicationId == "" && q.Attributes["ContentBasedDeduplication"] != "true":
		return wire.Refuse("InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	case e.MessageDeduplicationId != "" && !idForm.MatchString(e.MessageDeduplicationId):
		return wire.Refuse("InvalidParameterValue", "MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	return checkMessageAttributes(e.MessageAttributes)
}

func checkMessageAttributes(attributes map[string]attribute) error {
	if len(attributes) > 10 {
		return wire.Refuse("InvalidParameterValue", "Number of message attributes [%d] exceeds the allowed maximum [10].", len(attributes))
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		kind, _, _ := strings.Cut(a.DataType, ".")
		switch {
		case !attributeForm.MatchString(name):
			return wire.Refuse("InvalidParameterValue", "Message (user) attribute name '%s' is invalid.", name)
		case kind != "String" && kind != "Number" && kind != "Binary":
			return wire.Refuse("InvalidParameterValue", "The type of message (user) attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", name)
		case kind == "Binary" && len(a.BinaryValue) == 0, kind != "Binary" && a.text() == "":
			return wire.Refuse("InvalidParameterValue", "Message (user) attribute '%s' must contain a non-empty value of type '%s'.", name, kind)
		}
	}
	return nil
}

// permitted tells whether text is of the characters that a message may have.
func permitted(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	})
}

func (e entry) size() int {
	n := len(e.MessageBody)
	for name, a := range e.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.text()) + len(a.BinaryValue)
	}
	return n
}

// failed is what did not succeed of a batch.
type failed struct {
	Id          string
	SenderFault bool
	Code        string
	Message     string
}

func failure(id string, err error) failed {
	var known *wire.Error
	if errors.As(err, &known) {
		return failed{Id: id, SenderFault: true, Code: known.Code, Message: known.Message}
	}
	return failed{Id: id, Code: "InternalError", Message: err.Error()}
}

// maxBatch is how many messages one request is about at most.
const maxBatch = 10

// checkBatch says what is wrong with a batch as a whole.
func checkBatch(ids []string) error {
	seen := map[string]bool{}
	for _, id := range ids {
		switch {
		case !batchIDForm.MatchString(id):
			return &wire.Error{Code: "InvalidBatchEntryId", QueryCode: "AWS.SimpleQueueService.InvalidBatchEntryId", Message: "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."}
		case seen[id]:
			return &wire.Error{Code: "BatchEntryIdsNotDistinct", QueryCode: "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", Message: "Id " + id + " repeated."}
		}
		seen[id] = true
	}
	switch {
	case len(ids) == 0:
		return &wire.Error{Code: "EmptyBatchRequest", QueryCode: "AWS.SimpleQueueService.EmptyBatchRequest", Message: "There should be at least one entry in the request."}
	case len(ids) > maxBatch:
		return &wire.Error{Code: "TooManyEntriesInBatchRequest", QueryCode: "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", Message: fmt.Sprintf("Maximum number of entries per request are %d. You have sent %d.", maxBatch, len(ids))}
	}
	return nil
}

type sendBatchAnswer struct {
	Successful []sent   `query:"SendMessageBatchResultEntry"`
	Failed     []failed `query:"BatchResultErrorEntry"`
}

func (s *Store) sendBatch(ctx context.Context, in *struct {
	queueURL
	Entries []entry `query:"SendMessageBatchRequestEntry"`
}) (sendBatchAnswer, error) {
	return with(s, in.QueueUrl, func(q *queue) (out sendBatchAnswer, err error) {
		var ids []string
		size := 0
		for _, e := range in.Entries {
			ids = append(ids, e.Id)
			size += e.size()
		}
		if err := checkBatch(ids); err != nil {
			return out, err
		}
		if size > maxMessage {
			return out, &wire.Error{Code: "BatchRequestTooLong", QueryCode: "AWS.SimpleQueueService.BatchRequestTooLong", Message: fmt.Sprintf("Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxMessage, size)}
		}
		out.Successful, out.Failed = []sent{}, []failed{}
		for _, e := range in.Entries {
			if one, err := s.send(wire.From(ctx).AccessKey, q, e); err != nil {
				out.Failed = append(out.Failed, failure(e.Id, err))
			} else {
				out.Successful = append(out.Successful, one)
			}
		}
		return out, nil
	})
}
