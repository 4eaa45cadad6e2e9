package lambda

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// Services are the other services as Lambda uses them. One that is nil is not there: it holds nothing, and takes nothing.
type Services struct {
	Objects    Objects
	Logs       Logs
	Metrics    Metrics
	Queues     Queues
	Topics     Topics
	Bus        Bus
	Registries Registries
}

func (v Services) withDefaults() Services {
	n := nowhere{}
	if v.Objects == nil {
		v.Objects = n
	}
	if v.Logs == nil {
		v.Logs = n
	}
	if v.Metrics == nil {
		v.Metrics = n
	}
	if v.Queues == nil {
		v.Queues = n
	}
	if v.Topics == nil {
		v.Topics = n
	}
	if v.Bus == nil {
		v.Bus = noBus{}
	}
	if v.Registries == nil {
		v.Registries = n
	}
	return v
}

// Errors that a service's answer wraps where AWS tells the cases apart.
var (
	ErrNoBucket  = errors.New("the specified bucket does not exist")
	ErrNoKey     = errors.New("the specified key does not exist")
	ErrNoVersion = errors.New("the specified version does not exist")
	ErrNoQueue   = errors.New("the specified queue does not exist")
	ErrNoTopic   = errors.New("the specified topic does not exist")
)

// Objects is S3 as code comes from it.
type Objects interface {
	// Open returns an object and its size. version is empty for the newest. An error wraps ErrNoBucket, ErrNoKey or ErrNoVersion where that
	// is the reason.
	Open(bucket, key, version string) (io.ReadCloser, int64, error)
}

// Logs is CloudWatch Logs as functions write to it.
type Logs interface {
	// Put adds a line, without its newline, to a stream; group and stream are made if need be. It must not keep line, nor block: it is called
	// for each line that a function prints.
	Put(group, stream string, at time.Time, line []byte)
}

// Metrics is CloudWatch as Lambda writes to it, in the namespace AWS/Lambda.
type Metrics interface {
	// Record adds a measurement. It must not block: it is called several times for each invocation.
	Record(m Metric)
}

// Metric is one measurement. On AWS it counts for the account (no dimension), for the function (FunctionName), for the function and resource
// (FunctionName, Resource) and, behind an alias, for the version too (FunctionName, Resource, ExecutedVersion).
type Metric struct {
	Name            string // Invocations, Errors, Throttles, Duration, ConcurrentExecutions, ...
	Function        string
	Resource        string // "name", "name:alias" or "name:version"
	ExecutedVersion string // the version that an alias led to; empty without alias
	Unit            string // Count or Milliseconds
	Value           float64
	At              time.Time
}

// Message is a message as SQS hands it out.
type Message struct {
	ID         string
	Receipt    string
	Body       string
	MD5        string            // of the body, hex
	Attributes map[string]string // SentTimestamp, ApproximateReceiveCount, SenderId, MessageGroupId, ...
	Custom     map[string]any    // message attributes as events carry them: name → {stringValue, binaryValue, dataType, ...}
}

// Queues is SQS as event source mappings, destinations and dead-letter queues use it. Queues are named by ARN; an error wraps ErrNoQueue
// where there is none.
type Queues interface {
	// Receive takes up to limit messages out of sight for the queue's visibility timeout. When there are none it waits for some until done is
	// closed or wait has passed, and then returns none.
	Receive(done <-chan struct{}, queue string, limit int, wait time.Duration) ([]Message, error)
	// Delete removes messages that have been received.
	Delete(queue string, receipts []string) error
	// Release makes messages visible again at once.
	Release(queue string, receipts []string) error
	// Send adds a message; attributes are strings.
	Send(queue, body string, attributes map[string]string) error
	// Visibility returns how long a message is out of sight once it has been received, and whether the queue keeps messages in order.
	Visibility(queue string) (timeout time.Duration, fifo bool, err error)
}

// Topics is SNS as destinations and dead letters use it.
type Topics interface {
	// Publish sends a message to a topic's subscribers. An error wraps ErrNoTopic where there is no such topic.
	Publish(topic, message string, attributes map[string]string) error
}

// Bus is EventBridge's default bus as destinations use it.
type Bus interface {
	// Put sends an event to the rules that it fits.
	Put(source, detailType string, resources []string, detail []byte)
}

// Registries knows the image registries that are part of this program.
type Registries interface {
	// Registry returns the OCI distribution API of a registry of our own by its host (the part of an image's name before the first slash), to
	// be called within this program without credentials; nil for a host elsewhere.
	Registry(host string) http.Handler
	// Credentials for a registry elsewhere; ok is false where there are none beyond the usual places (docker's configuration).
	Credentials(host string) (user, password string, ok bool)
}

// nowhere is every service that is not there, but the event bus.
type nowhere struct{}

func (nowhere) Open(string, string, string) (io.ReadCloser, int64, error) { return nil, 0, ErrNoBucket }
func (nowhere) Put(string, string, time.Time, []byte)                     {}
func (nowhere) Record(Metric)                                             {}
func (nowhere) Delete(string, []string) error                             { return ErrNoQueue }
func (nowhere) Release(string, []string) error                            { return ErrNoQueue }
func (nowhere) Send(string, string, map[string]string) error              { return ErrNoQueue }
func (nowhere) Publish(string, string, map[string]string) error           { return ErrNoTopic }
func (nowhere) Registry(string) http.Handler                              { return nil }
func (nowhere) Credentials(string) (user, password string, ok bool)       { return "", "", false }
func (nowhere) Visibility(string) (time.Duration, bool, error)            { return 0, false, ErrNoQueue }
func (nowhere) Receive(<-chan struct{}, string, int, time.Duration) ([]Message, error) {
	return nil, ErrNoQueue
}

type noBus struct{}

func (noBus) Put(string, string, []string, []byte) {}
