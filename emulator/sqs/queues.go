package sqs

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// namespace of SQS's XML answers.
const namespace = "http://queue.amazonaws.com/doc/2012-11-05/"

// API answers the operations of SQS.
func (s *Store) API() http.Handler {
	service := wire.NewService(namespace)
	wire.Handle(service, "CreateQueue", s.createQueue)
	wire.Handle(service, "GetQueueUrl", s.getQueueURL)
	wire.Handle(service, "GetQueueAttributes", s.getAttributes)
	wire.Handle(service, "SetQueueAttributes", s.setAttributes)
	wire.Handle(service, "ListQueues", s.listQueues)
	wire.Handle(service, "ListDeadLetterSourceQueues", s.listSources)
	wire.Handle(service, "PurgeQueue", s.purge)
	wire.Handle(service, "DeleteQueue", s.deleteQueue)
	wire.Handle(service, "TagQueue", s.tagQueue)
	wire.Handle(service, "UntagQueue", s.untagQueue)
	wire.Handle(service, "ListQueueTags", s.listTags)
	wire.Handle(service, "SendMessage", s.sendMessage)
	wire.Handle(service, "SendMessageBatch", s.sendBatch)
	wire.Handle(service, "ReceiveMessage", s.receiveMessage)
	wire.Handle(service, "DeleteMessage", s.deleteMessage)
	wire.Handle(service, "DeleteMessageBatch", s.deleteBatch)
	wire.Handle(service, "ChangeMessageVisibility", s.changeVisibility)
	wire.Handle(service, "ChangeMessageVisibilityBatch", s.changeVisibilityBatch)
	return service
}

// none is the answer of what has nothing to say.
type none struct{}

type queueURL struct{ QueueUrl string }

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// url is a queue's at the address at which the caller found us.
func (s *Store) url(ctx context.Context, name string) string {
	return "http://" + wire.From(ctx).Host + "/" + s.opts.Account + "/" + name
}

func (s *Store) createQueue(ctx context.Context, in *struct {
	QueueName  string
	Attributes map[string]string `query:"Attribute"`
	Tags       map[string]string `json:"tags" query:"Tag"`
}) (queueURL, error) {
	fifo := strings.HasSuffix(in.QueueName, ".fifo")
	if !nameForm.MatchString(strings.TrimSuffix(in.QueueName, ".fifo")) || len(in.QueueName) > 80 {
		return queueURL{}, wire.Refuse("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	if fifo != (in.Attributes["FifoQueue"] == "true") {
		if fifo {
			return queueURL{}, wire.Refuse("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
		}
		return queueURL{}, wire.Refuse("InvalidParameterValue", "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkAttributes(in.Attributes, fifo); err != nil {
		return queueURL{}, err
	}
	if q := s.queues[in.QueueName]; q != nil {
		has := s.described(q)
		for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
			if has[name] != in.Attributes[name] {
				return queueURL{}, &wire.Error{Code: "QueueNameExists", QueryCode: "QueueAlreadyExists", Message: "A queue already exists with the same name and a different value for attribute " + name}
			}
		}
		return queueURL{s.url(ctx, q.Name)}, nil
	}
	now := s.opts.Now()
	q := newQueue(record{Name: in.QueueName, Created: now, Modified: now, Attributes: in.Attributes, Tags: in.Tags})
	if err := s.save(q); err != nil {
		return queueURL{}, err
	}
	s.queues[q.Name] = q
	return queueURL{s.url(ctx, q.Name)}, nil
}

func (s *Store) save(q *queue) error { return keep.Save(s.recordPath(q.Name), q.record) }

func (s *Store) getQueueURL(ctx context.Context, in *struct{ QueueName string }) (queueURL, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues[in.QueueName] == nil {
		return queueURL{}, noQueue()
	}
	return queueURL{s.url(ctx, in.QueueName)}, nil
}

type attributesAnswer struct {
	Attributes map[string]string `json:",omitempty" query:"Attribute"`
}

func (s *Store) getAttributes(_ context.Context, in *struct {
	queueURL
	AttributeNames []string `query:"AttributeName"`
}) (attributesAnswer, error) {
	return with(s, in.QueueUrl, func(q *queue) (attributesAnswer, error) {
		all := s.described(q)
		if slices.Contains(in.AttributeNames, "All") {
			return attributesAnswer{all}, nil
		}
		some := map[string]string{}
		for _, name := range in.AttributeNames {
			_, known := all[name]
			_, isNumber := numbers[name]
			if !known && !isNumber && choices[name] == nil && name != "RedrivePolicy" && !slices.Contains(texts, name) {
				return attributesAnswer{}, wire.Refuse("InvalidAttributeName", "Unknown Attribute %s.", name)
			}
			if known {
				some[name] = all[name]
			}
		}
		return attributesAnswer{some}, nil
	})
}

func (s *Store) setAttributes(_ context.Context, in *struct {
	queueURL
	Attributes map[string]string `query:"Attribute"`
}) (none, error) {
	return with(s, in.QueueUrl, func(q *queue) (none, error) {
		if err := s.checkAttributes(in.Attributes, q.fifo()); err != nil {
			return none{}, err
		}
		return none{}, s.change(q, func(r *record) {
			r.Attributes = maps.Clone(r.Attributes)
			if r.Attributes == nil {
				r.Attributes = map[string]string{}
			}
			maps.Copy(r.Attributes, in.Attributes)
			maps.DeleteFunc(r.Attributes, func(_, value string) bool { return value == "" })
			r.Modified = s.opts.Now()
		})
	})
}

// change changes what is kept of a queue, or leaves it as it is. The caller holds mu.
func (s *Store) change(q *queue, how func(r *record)) error {
	changed := q.record
	how(&changed)
	if err := keep.Save(s.recordPath(q.Name), changed); err != nil {
		return err
	}
	q.record = changed
	q.wake() // with other timeouts
	return nil
}

type listAnswer struct {
	QueueUrls []string `json:",omitempty" query:"QueueUrl"`
	NextToken string   `json:",omitempty"`
}

// maxListed is how many queues one answer names.
const maxListed = 1000

func (s *Store) listQueues(ctx context.Context, in *struct {
	QueueNamePrefix string
	MaxResults      int
	NextToken       string
}) (out listAnswer, err error) {
	if in.MaxResults < 0 || in.MaxResults > maxListed {
		return out, wire.Refuse("InvalidParameterValue", "Value for parameter MaxResults is invalid. Reason: Must be an integer between 1 and %d.", maxListed)
	}
	if in.MaxResults == 0 {
		in.MaxResults = maxListed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		if name < in.NextToken || !strings.HasPrefix(name, in.QueueNamePrefix) {
			continue
		}
		if len(out.QueueUrls) == in.MaxResults {
			out.NextToken = name
			break
		}
		out.QueueUrls = append(out.QueueUrls, s.url(ctx, name))
	}
	return out, nil
}

type sourcesAnswer struct {
	QueueUrls []string `json:"queueUrls" query:"QueueUrl"`
}

func (s *Store) listSources(ctx context.Context, in *queueURL) (sourcesAnswer, error) {
	return with(s, in.QueueUrl, func(dead *queue) (sourcesAnswer, error) {
		out := sourcesAnswer{QueueUrls: []string{}}
		for _, name := range slices.Sorted(maps.Keys(s.queues)) {
			if r, ok := s.queues[name].redrive(); ok && r.DeadLetterTargetArn == s.arn(dead.Name) {
				out.QueueUrls = append(out.QueueUrls, s.url(ctx, name))
			}
		}
		return out, nil
	})
}

func (s *Store) purge(_ context.Context, in *queueURL) (none, error) {
	return with(s, in.QueueUrl, func(q *queue) (none, error) {
		for _, m := range slices.Clone(q.messages) {
			if err := s.drop(q, m); err != nil {
				return none{}, err
			}
		}
		return none{}, nil
	})
}

func (s *Store) deleteQueue(_ context.Context, in *queueURL) (none, error) {
	return with(s, in.QueueUrl, func(q *queue) (none, error) {
		// The record goes first: without it the rest is swept at the next start.
		if err := os.Remove(s.recordPath(q.Name)); err != nil {
			return none{}, fmt.Errorf("remove queue: %w", err)
		}
		delete(s.queues, q.Name)
		q.wake()
		if err := os.RemoveAll(filepath.Join(s.opts.Dir, q.Name)); err != nil {
			return none{}, fmt.Errorf("remove queue: %w", err)
		}
		return none{}, nil
	})
}

func (s *Store) tagQueue(_ context.Context, in *struct {
	queueURL
	Tags map[string]string `query:"Tag"`
}) (none, error) {
	return with(s, in.QueueUrl, func(q *queue) (none, error) {
		return none{}, s.change(q, func(r *record) {
			tags := maps.Clone(in.Tags)
			for key, value := range r.Tags {
				if _, ok := tags[key]; !ok {
					tags[key] = value
				}
			}
			r.Tags = tags
		})
	})
}

func (s *Store) untagQueue(_ context.Context, in *struct {
	queueURL
	TagKeys []string `query:"TagKey"`
}) (none, error) {
	return with(s, in.QueueUrl, func(q *queue) (none, error) {
		return none{}, s.change(q, func(r *record) {
			r.Tags = maps.Clone(r.Tags)
			for _, key := range in.TagKeys {
				delete(r.Tags, key)
			}
		})
	})
}

type tagsAnswer struct {
	Tags map[string]string `json:",omitempty" query:"Tag"`
}

func (s *Store) listTags(_ context.Context, in *queueURL) (tagsAnswer, error) {
	return with(s, in.QueueUrl, func(q *queue) (tagsAnswer, error) { return tagsAnswer{maps.Clone(q.Tags)}, nil })
}
