package emulator

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// hooks are the other services as Lambda uses them. Each is there from the start, and does nothing until a service takes its place: services
// set them before the server answers its first request, and never after.
type hooks struct {
	objects  objects
	logs     logSink
	metrics  metricSink
	queues   queueSource
	topics   topicSink
	registry registries
}

func noHooks() hooks {
	n := nowhere{}
	return hooks{objects: n, logs: n, metrics: n, queues: n, topics: n, registry: n}
}

// Errors that a hook's answer wraps where AWS tells the cases apart.
var (
	errNoBucket  = errors.New("the specified bucket does not exist")
	errNoKey     = errors.New("the specified key does not exist")
	errNoVersion = errors.New("the specified version does not exist")
	errNoQueue   = errors.New("the specified queue does not exist")
	errNoTopic   = errors.New("the specified topic does not exist")
)

// objects is S3 as code comes from it.
type objects interface {
	// Open returns an object and its size. version is empty for the newest. An error wraps errNoBucket, errNoKey or errNoVersion where that
	// is the reason.
	Open(bucket, key, version string) (io.ReadCloser, int64, error)
}

// logSink is CloudWatch Logs as functions write to it.
type logSink interface {
	// Put adds a line, without its newline, to a stream; group and stream are made if need be. It must not keep line, nor block: it is called
	// for each line that a function prints.
	Put(group, stream string, at time.Time, line []byte)
}

// metricSink is CloudWatch as Lambda writes to it, in the namespace AWS/Lambda.
type metricSink interface {
	// Record adds a measurement. It must not block: it is called several times for each invocation.
	Record(m metric)
}

// metric is one measurement. On AWS it counts for the account (no dimension), for the function (FunctionName), for the function and resource
// (FunctionName, Resource) and, behind an alias, for the version too (FunctionName, Resource, ExecutedVersion).
type metric struct {
	Name            string // Invocations, Errors, Throttles, Duration, ConcurrentExecutions, ...
	Function        string
	Resource        string // "name", "name:alias" or "name:version"
	ExecutedVersion string // the version that an alias led to; empty without alias
	Unit            string // Count or Milliseconds
	Value           float64
	At              time.Time
}

// queueMessage is a message as SQS hands it out.
type queueMessage struct {
	ID         string
	Receipt    string
	Body       string
	MD5        string            // of the body, hex
	Attributes map[string]string // SentTimestamp, ApproximateReceiveCount, SenderId, MessageGroupId, ...
	Custom     map[string]any    // message attributes as events carry them: name → {stringValue, binaryValue, dataType, ...}
}

// queueSource is SQS as event source mappings, destinations and dead-letter queues use it. Queues are named by ARN; an error wraps errNoQueue
// where there is none.
type queueSource interface {
	// Receive takes up to limit messages out of sight for the queue's visibility timeout. When there are none it waits for some until done is
	// closed or wait has passed, and then returns none.
	Receive(done <-chan struct{}, queue string, limit int, wait time.Duration) ([]queueMessage, error)
	// Delete removes messages that have been received.
	Delete(queue string, receipts []string) error
	// Release makes messages visible again at once.
	Release(queue string, receipts []string) error
	// Send adds a message; attributes are strings.
	Send(queue, body string, attributes map[string]string) error
	// Visibility returns how long a message is out of sight once it has been received, and whether the queue keeps messages in order.
	Visibility(queue string) (timeout time.Duration, fifo bool, err error)
}

// topicSink is SNS as destinations and dead letters use it.
type topicSink interface {
	// Publish sends a message to a topic's subscribers. An error wraps errNoTopic where there is no such topic.
	Publish(topic, message string, attributes map[string]string) error
}

// registries knows the image registries that are part of this program.
type registries interface {
	// Registry returns the OCI distribution API of a registry of our own by its host (the part of an image's name before the first slash), to
	// be called within this program without credentials; nil for a host elsewhere.
	Registry(host string) http.Handler
	// Credentials for a registry elsewhere; ok is false where there are none beyond the usual places (docker's configuration).
	Credentials(host string) (user, password string, ok bool)
}

// nowhere is every hook without a service behind it.
type nowhere struct{}

func (nowhere) Open(string, string, string) (io.ReadCloser, int64, error) { return nil, 0, errNoBucket }
func (nowhere) Put(string, string, time.Time, []byte)                     {}
func (nowhere) Record(metric)                                             {}
func (nowhere) Delete(string, []string) error                             { return errNoQueue }
func (nowhere) Release(string, []string) error                            { return errNoQueue }
func (nowhere) Send(string, string, map[string]string) error              { return errNoQueue }
func (nowhere) Publish(string, string, map[string]string) error           { return errNoTopic }
func (nowhere) Registry(string) http.Handler                              { return nil }
func (nowhere) Credentials(string) (user, password string, ok bool)       { return "", "", false }
func (nowhere) Visibility(string) (time.Duration, bool, error)            { return 0, false, errNoQueue }
func (nowhere) Receive(<-chan struct{}, string, int, time.Duration) ([]queueMessage, error) {
	return nil, errNoQueue
}
