package sqs

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// What a queue has unless it is told otherwise, and the bounds of what it can be told.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
var numbers = map[string]struct{ least, most, otherwise int }{
	"VisibilityTimeout":             {0, 43200, 30},
	"DelaySeconds":                  {0, 900, 0},
	"MaximumMessageSize":            {1024, maxMessage, maxMessage},
	"MessageRetentionPeriod":        {60, 1209600, 345600},
	"ReceiveMessageWaitTimeSeconds": {0, 20, 0},
	"KmsDataKeyReusePeriodSeconds":  {60, 86400, 300},
}

// maxMessage is the largest message or batch, in bytes.
const maxMessage = 1 << 20

var (
	alwaysTold = []string{"VisibilityTimeout", "DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds"}
	choices    = map[string][]string{
		"FifoQueue": {"true"}, "ContentBasedDeduplication": {"true", "false"}, "SqsManagedSseEnabled": {"true", "false"},
		"DeduplicationScope": {"messageGroup", "queue"}, "FifoThroughputLimit": {"perQueue", "perMessageGroupId"},
	}
	ofFIFO = []string{"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"}
	texts  = []string{"Policy", "KmsMasterKeyId", "RedriveAllowPolicy"}
)

// redrive is when a message is given up, and where it goes.
type redrive struct {
	DeadLetterTargetArn string          `json:"deadLetterTargetArn"`
	MaxReceiveCount     json.RawMessage `json:"maxReceiveCount"` // a number or one in quotes
}

func (r redrive) most() int {
	text := string(r.MaxReceiveCount)
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// redrive returns where the queue's messages are given up to; ok is false where they are not.
func (q *queue) redrive() (r redrive, ok bool) {
	return r, json.Unmarshal([]byte(q.Attributes["RedrivePolicy"]), &r) == nil && r.DeadLetterTargetArn != ""
}

func invalidValue(name, value, reason string) error {
	if reason != "" {
		return wire.Refuse("InvalidAttributeValue", "Value %s for parameter %s is invalid. Reason: %s", value, name, reason)
	}
	return wire.Refuse("InvalidAttributeValue", "Invalid value for the parameter %s.", name)
}

// checkAttributes says what is wrong with attributes that are to be set. The caller holds mu.
func (s *Store) checkAttributes(set map[string]string, fifo bool) error {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		value := set[name]
		number, isNumber := numbers[name]
		allowed, isChoice := choices[name]
		switch {
		case value == "": // what unsets it
		case isNumber:
			if n, err := strconv.Atoi(value); err != nil || n < number.least || n > number.most {
				return invalidValue(name, value, "")
			}
		case isChoice:
			if !slices.Contains(allowed, value) {
				return invalidValue(name, value, "")
			}
			if !fifo && slices.Contains(ofFIFO, name) {
				return wire.Refuse("InvalidAttributeName", "Unknown Attribute %s.", name)
			}
		case name == "RedrivePolicy":
			if err := s.checkRedrive(value, fifo); err != nil {
				return err
			}
		case !slices.Contains(texts, name):
			return wire.Refuse("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	return nil
}

func (s *Store) checkRedrive(value string, fifo bool) error {
	var r redrive
	if json.Unmarshal([]byte(value), &r) != nil || r.DeadLetterTargetArn == "" {
		return invalidValue("RedrivePolicy", value, "Redrive policy is not a valid JSON map.")
	}
	if n := r.most(); n < 1 || n > 1000 {
		return invalidValue("RedrivePolicy", value, "Invalid value for maxReceiveCount: "+string(r.MaxReceiveCount)+", valid values are from 1 to 1000 both inclusive.")
	}
	dead := s.byARN(r.DeadLetterTargetArn)
	if dead == nil {
		return invalidValue("RedrivePolicy", value, "Dead letter target does not exist.")
	}
	if dead.fifo() != fifo {
		return invalidValue("RedrivePolicy", value, "Dead-letter queue must be same type of queue as the source.")
	}
	return nil
}

// seconds returns an attribute that is a number of them.
func (q *queue) seconds(name string) time.Duration {
	return time.Duration(q.number(name)) * time.Second
}

func (q *queue) number(name string) int {
	if n, err := strconv.Atoi(q.Attributes[name]); err == nil {
		return n
	}
	return numbers[name].otherwise
}

// described are the attributes as GetQueueAttributes tells them. The caller holds mu.
func (s *Store) described(q *queue) map[string]string {
	all := map[string]string{"SqsManagedSseEnabled": "true"}
	for _, name := range alwaysTold {
		all[name] = strconv.Itoa(q.number(name))
	}
	if q.fifo() {
		maps.Copy(all, map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"})
	}
	maps.Copy(all, q.Attributes)
	visible, delayed, inFlight := 0, 0, 0
	now := s.opts.Now()
	for _, m := range q.messages {
		switch {
		case !m.VisibleAt.After(now):
			visible++
		case m.Receives == 0:
			delayed++
		default:
			inFlight++
		}
	}
	for name, n := range map[string]int{
		"ApproximateNumberOfMessages": visible, "ApproximateNumberOfMessagesDelayed": delayed, "ApproximateNumberOfMessagesNotVisible": inFlight,
		"CreatedTimestamp": int(q.Created.Unix()), "LastModifiedTimestamp": int(q.Modified.Unix()),
	} {
		all[name] = strconv.Itoa(n)
	}
	all["QueueArn"] = s.arn(q.Name)
	return all
}
