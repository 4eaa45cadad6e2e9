// Package sns is the topics of the embedded AWS: SNS over the query protocol, with subscriptions of Lambda functions and queues, filter policies and
// dead letters. Topics are standard ones. What is subscribed outlives the program.
package sns

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/filter"
	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// Options of a store.
type Options struct {
	Dir             string // where topics are kept
	Account, Region string
	Now             func() time.Time // nil: time.Now
	// Deliver gives a message to a function or queue. An error means that it was not taken: the message goes to the subscription's dead letters.
	Deliver func(d Delivery) error
}

// Delivery is one message for one subscriber.
type Delivery struct {
	Topic    string // ARN
	Protocol string // lambda or sqs
	Endpoint string // ARN
	Payload  []byte
	// Attributes of a queue's message, where it is delivered raw.
	Attributes map[string]Value
}

// Value of a message's attribute.
type Value struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

// ErrNoTopic is what an error wraps where there is no such topic.
var ErrNoTopic = errors.New("the specified topic does not exist")

// Store is the topics of an account. Its methods may be called at the same time.
type Store struct {
	opts Options

	mu     sync.Mutex // guards topics and the file; what topics points to is replaced, never changed in place
	topics map[string]*topic
}

// topic is one, as it is kept.
type topic struct {
	ARN           string
	Attributes    map[string]string // as they were set
	Tags          map[string]string
	Subscriptions []*subscription // in the order in which they came
}

// subscription is one, as it is kept.
type subscription struct {
	ARN, Protocol, Endpoint string
	Attributes              map[string]string // as they were set
}

// Open reads what the directory holds.
func Open(opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Store{opts: opts, topics: map[string]*topic{}}
	if err := keep.Load(s.path(), &s.topics); err != nil {
		return nil, fmt.Errorf("read topics: %w", err)
	}
	return s, nil
}

func (s *Store) path() string { return filepath.Join(s.opts.Dir, "topics.json") }

// namespace of SNS's XML answers.
const namespace = "http://sns.amazonaws.com/doc/2010-03-31/"

// API answers the operations of SNS.
func (s *Store) API() http.Handler {
	service := wire.NewService(namespace)
	wire.Handle(service, "CreateTopic", s.createTopic)
	wire.Handle(service, "DeleteTopic", s.deleteTopic)
	wire.Handle(service, "ListTopics", s.listTopics)
	wire.Handle(service, "GetTopicAttributes", s.getTopicAttributes)
	wire.Handle(service, "SetTopicAttributes", s.setTopicAttributes)
	wire.Handle(service, "TagResource", s.tagResource)
	wire.Handle(service, "UntagResource", s.untagResource)
	wire.Handle(service, "ListTagsForResource", s.listTags)
	wire.Handle(service, "Subscribe", s.subscribe)
	wire.Handle(service, "Unsubscribe", s.unsubscribe)
	wire.Handle(service, "ListSubscriptions", s.listSubscriptions)
	wire.Handle(service, "ListSubscriptionsByTopic", s.listByTopic)
	wire.Handle(service, "GetSubscriptionAttributes", s.getAttributes)
	wire.Handle(service, "SetSubscriptionAttributes", s.setAttributes)
	wire.Handle(service, "Publish", s.publishMessage)
	wire.Handle(service, "PublishBatch", s.publishBatch)
	return service
}

func noTopic() error {
	return &wire.Error{Code: "NotFound", Message: "Topic does not exist", Status: http.StatusNotFound}
}

func noSubscription() error {
	return &wire.Error{Code: "NotFound", Message: "Subscription does not exist", Status: http.StatusNotFound}
}

func invalid(format string, args ...any) error {
	return wire.Refuse("InvalidParameter", "Invalid parameter: "+format, args...)
}

// find returns a topic by its ARN.
func (s *Store) find(arn string) (*topic, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.topics[arn]; t != nil {
		return t, nil
	}
	return nil, noTopic()
}

// edit changes a copy of a topic, and puts it in place once it is saved. A topic of which the change leaves nil is removed.
func (s *Store) edit(arn string, change func(t topic) (*topic, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.topics[arn]
	if old == nil {
		return noTopic()
	}
	copied := *old
	copied.Attributes, copied.Tags, copied.Subscriptions = maps.Clone(old.Attributes), maps.Clone(old.Tags), slices.Clone(old.Subscriptions)
	changed, err := change(copied)
	if err != nil {
		return err
	}
	return s.replace(arn, changed)
}

// replace puts a topic in place, nil for none. The caller holds mu.
func (s *Store) replace(arn string, t *topic) error {
	topics := maps.Clone(s.topics)
	topics[arn] = t
	if t == nil {
		delete(topics, arn)
	}
	if err := keep.Save(s.path(), topics); err != nil {
		return err
	}
	s.topics = topics
	return nil
}

// topicOf is the ARN of the topic of a subscription's.
func topicOf(subscription string) string {
	if i := strings.LastIndexByte(subscription, ':'); i > 0 {
		return subscription[:i]
	}
	return subscription
}

// patternOf returns the filter of a subscription, or nil.
func (sub *subscription) patternOf() *filter.Pattern {
	text := sub.Attributes["FilterPolicy"]
	if text == "" || text == "{}" {
		return nil
	}
	p, err := filter.Parse([]byte(text))
	if err != nil {
		return nil // it was checked when it was set
	}
	return p
}
