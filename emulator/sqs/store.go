package sqs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// Options of a store.
type Options struct {
	Dir             string // where queues are kept
	Account, Region string
	Now             func() time.Time // nil: time.Now
}

// Store is the queues of an account. Its methods may be called at the same time.
type Store struct {
	opts Options

	mu     sync.Mutex // guards everything below, and the files
	queues map[string]*queue
	next   uint64        // the number of the message that is sent next
	closed chan struct{} // by Close: what waits returns
}

// queue is one. Its record is what is kept of it beside the messages.
type queue struct {
	record
	messages []*message           // in the order in which they came
	arrived  chan struct{}        // closed and replaced when a message may have become visible
	recent   map[string]duplicate // of the last five minutes, by deduplication id
}

type record struct {
	Name              string
	Created, Modified time.Time
	Attributes        map[string]string // as they were set; those that were not have their defaults
	Tags              map[string]string
}

type message struct {
	ID        string
	Number    uint64 // of its coming; SequenceNumber too
	Body      string
	Custom    map[string]attribute `json:",omitempty"`
	Trace     string               `json:",omitempty"`
	Sender    string
	Group     string `json:",omitempty"`
	Duplicate string `json:",omitempty"` // deduplication id
	Source    string `json:",omitempty"` // ARN of the queue that gave it up
	Sent      time.Time
	First     time.Time // of its receptions
	Receives  int
	VisibleAt time.Time
}

// attribute of a message, as SQS writes it. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_MessageAttributeValue.html
type attribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

// Open reads what the directory holds.
func Open(opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Store{opts: opts, queues: map[string]*queue{}, closed: make(chan struct{})}
	entries, err := os.ReadDir(opts.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	for _, entry := range entries {
		q, err := s.load(entry.Name())
		if err != nil {
			return nil, err
		}
		if q.Name == "" { // a program was killed while it made or deleted the queue
			if err := os.RemoveAll(filepath.Join(opts.Dir, entry.Name())); err != nil {
				return nil, fmt.Errorf("remove what is left of a queue: %w", err)
			}
			continue
		}
		s.queues[q.Name] = q
	}
	return s, nil
}

// Close ends what waits for messages.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.closed)
}

func newQueue(r record) *queue {
	return &queue{record: r, arrived: make(chan struct{}), recent: map[string]duplicate{}}
}

func (s *Store) load(name string) (*queue, error) {
	q := newQueue(record{})
	if err := keep.Load(s.recordPath(name), &q.record); err != nil {
		return nil, fmt.Errorf("read queue %s: %w", name, err)
	}
	files, err := filepath.Glob(filepath.Join(s.opts.Dir, name, "messages", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list messages of queue %s: %w", name, err)
	}
	for _, file := range files {
		m := &message{}
		if err := keep.Load(file, m); err != nil {
			return nil, fmt.Errorf("read queue %s: %w", name, err)
		}
		q.messages = append(q.messages, m)
		s.next = max(s.next, m.Number+1)
	}
	slices.SortFunc(q.messages, func(a, b *message) int { return int(a.Number) - int(b.Number) })
	return q, nil
}

func (s *Store) recordPath(name string) string { return filepath.Join(s.opts.Dir, name, "queue.json") }

func (s *Store) messagePath(q *queue, m *message) string {
	return filepath.Join(s.opts.Dir, q.Name, "messages", m.ID+".json")
}

// put keeps a message as it is now.
func (s *Store) put(q *queue, m *message) error { return keep.Save(s.messagePath(q, m), m) }

// drop forgets a message.
func (s *Store) drop(q *queue, m *message) error {
	if err := os.Remove(s.messagePath(q, m)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove message: %w", err)
	}
	q.messages = slices.DeleteFunc(q.messages, func(o *message) bool { return o == m })
	return nil
}

// wake lets those who wait look again.
func (q *queue) wake() {
	close(q.arrived)
	q.arrived = make(chan struct{})
}

func (q *queue) fifo() bool { return strings.HasSuffix(q.Name, ".fifo") }

func (s *Store) arn(name string) string {
	return "arn:aws:sqs:" + s.opts.Region + ":" + s.opts.Account + ":" + name
}

// byARN returns a queue of ours, or nil. The caller holds mu.
func (s *Store) byARN(arn string) *queue {
	name, ok := strings.CutPrefix(arn, s.arn(""))
	if !ok {
		return nil
	}
	return s.queues[name]
}

// byURL returns the queue that a URL names. The caller holds mu.
func (s *Store) byURL(url string) (*queue, error) {
	if url == "" {
		return nil, wire.Refuse("MissingParameter", "The request must contain the parameter QueueUrl.")
	}
	if q := s.queues[url[strings.LastIndexByte(url, '/')+1:]]; q != nil {
		return q, nil
	}
	return nil, noQueue()
}

func noQueue() error {
	return &wire.Error{Code: "QueueDoesNotExist", QueryCode: "AWS.SimpleQueueService.NonExistentQueue", Message: "The specified queue does not exist."}
}

// with runs f on the queue that a URL names.
func with[T any](s *Store, url string, f func(q *queue) (T, error)) (out T, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.byURL(url)
	if err != nil {
		return out, err
	}
	return f(q)
}
