package emulator

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/filter"
)

// mappingSettings are what CreateEventSourceMapping and UpdateEventSourceMapping say of how a source is read; nil means not given. They are kept as
// they came.
// https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
type mappingSettings struct {
	EventSourceArn                      *string            `json:",omitempty"`
	SelfManagedEventSource              *selfManaged       `json:",omitempty"`
	BatchSize                           *int               `json:",omitempty"`
	MaximumBatchingWindowInSeconds      *int               `json:",omitempty"`
	ParallelizationFactor               *int               `json:",omitempty"`
	StartingPosition                    *string            `json:",omitempty"`
	StartingPositionTimestamp           *float64           `json:",omitempty"`
	DestinationConfig                   *destinationConfig `json:",omitempty"`
	Topics                              []string           `json:",omitempty"`
	Queues                              []string           `json:",omitempty"`
	SourceAccessConfigurations          []accessConfig     `json:",omitempty"`
	MaximumRecordAgeInSeconds           *int               `json:",omitempty"`
	BisectBatchOnFunctionError          *bool              `json:",omitempty"`
	MaximumRetryAttempts                *int               `json:",omitempty"`
	TumblingWindowInSeconds             *int               `json:",omitempty"`
	FunctionResponseTypes               []string           `json:",omitempty"`
	FilterCriteria                      *filterCriteria    `json:",omitempty"`
	ScalingConfig                       *scalingConfig     `json:",omitempty"`
	AmazonManagedKafkaEventSourceConfig *consumerGroup     `json:",omitempty"`
	SelfManagedKafkaEventSourceConfig   *consumerGroup     `json:",omitempty"`
}

type (
	selfManaged    struct{ Endpoints map[string][]string }
	accessConfig   struct{ Type, URI string }
	consumerGroup  struct{ ConsumerGroupId string }
	scalingConfig  struct{ MaximumConcurrency *int }
	filterCriteria struct{ Filters []filterPattern }
	filterPattern  struct{ Pattern string }
)

type mappingRequest struct {
	mappingSettings
	FunctionName *string
	Enabled      *bool
	Tags         map[string]string
}

const reportFailures = "ReportBatchItemFailures"

// check says what is wrong with a request by itself. create tells it from an update.
func (in *mappingRequest) check(create bool) error {
	var c constraints
	if create {
		c.required("functionName", in.FunctionName != nil)
	}
	c.between("batchSize", in.BatchSize, 1, 10000)
	c.between("maximumBatchingWindowInSeconds", in.MaximumBatchingWindowInSeconds, 0, 300)
	c.between("parallelizationFactor", in.ParallelizationFactor, 1, 10)
	c.between("maximumRecordAgeInSeconds", in.MaximumRecordAgeInSeconds, -1, 604800)
	c.between("maximumRetryAttempts", in.MaximumRetryAttempts, -1, 10000)
	c.between("tumblingWindowInSeconds", in.TumblingWindowInSeconds, 0, 900)
	if in.ScalingConfig != nil {
		c.between("scalingConfig.maximumConcurrency", in.ScalingConfig.MaximumConcurrency, 2, 1000)
	}
	if in.StartingPosition != nil {
		c.oneOf("startingPosition", *in.StartingPosition, "LATEST", "AT_TIMESTAMP", "TRIM_HORIZON")
	}
	for _, kind := range in.FunctionResponseTypes {
		c.oneOf("functionResponseTypes", kind, reportFailures)
	}
	if err := c.err(); err != nil {
		return err
	}
	if in.FilterCriteria != nil {
		for _, f := range in.FilterCriteria.Filters {
			if _, err := filter.Parse([]byte(f.Pattern)); err != nil {
				return invalidParameter("Invalid filter pattern definition.")
			}
		}
	}
	return nil
}

// merge takes what is given in an update.
func (m *mappingSettings) merge(in mappingSettings) {
	given(&m.BatchSize, in.BatchSize)
	given(&m.MaximumBatchingWindowInSeconds, in.MaximumBatchingWindowInSeconds)
	given(&m.ParallelizationFactor, in.ParallelizationFactor)
	given(&m.DestinationConfig, in.DestinationConfig)
	given(&m.MaximumRecordAgeInSeconds, in.MaximumRecordAgeInSeconds)
	given(&m.BisectBatchOnFunctionError, in.BisectBatchOnFunctionError)
	given(&m.MaximumRetryAttempts, in.MaximumRetryAttempts)
	given(&m.TumblingWindowInSeconds, in.TumblingWindowInSeconds)
	given(&m.FilterCriteria, in.FilterCriteria)
	given(&m.ScalingConfig, in.ScalingConfig)
	if in.SourceAccessConfigurations != nil {
		m.SourceAccessConfigurations = in.SourceAccessConfigurations
	}
	if in.FunctionResponseTypes != nil {
		m.FunctionResponseTypes = in.FunctionResponseTypes
	}
}

func given[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

// service is what the mapping reads: sqs, kinesis, dynamodb, kafka, selfmanaged, or "" for what is none of them.
func (m *mappingSettings) service() string {
	if m.SelfManagedEventSource != nil {
		return "selfmanaged"
	}
	if parts := strings.SplitN(m.source(), ":", 4); len(parts) == 4 && parts[0] == "arn" {
		switch parts[2] {
		case "sqs", "kinesis", "dynamodb", "kafka":
			return parts[2]
		}
	}
	return ""
}

// source is the ARN of what is read; "" for brokers elsewhere.
func (m *mappingSettings) source() string {
	if m.EventSourceArn == nil {
		return ""
	}
	return *m.EventSourceArn
}

func (m *mappingSettings) streams() bool {
	return m.service() == "kinesis" || m.service() == "dynamodb"
}

// brokers are those of a cluster elsewhere.
func (m *mappingSettings) brokers() []string {
	if m.SelfManagedEventSource == nil {
		return nil
	}
	return m.SelfManagedEventSource.Endpoints["KAFKA_BOOTSTRAP_SERVERS"]
}

// checkSource says what is wrong with a mapping together with its source and its function.
func (s *Server) checkSource(m *mapping) error {
	service := m.service()
	switch {
	case service == "":
		return invalidParameter("Unrecognized event source.")
	case service == "sqs" && m.DestinationConfig != nil && (m.DestinationConfig.OnFailure != nil || m.DestinationConfig.OnSuccess != nil):
		return invalidParameter("Unsupported DestinationConfig parameter for given event source mapping type.")
	case service != "sqs" && m.StartingPosition == nil:
		return invalidParameter("1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.")
	case service == "dynamodb" && *m.StartingPosition == "AT_TIMESTAMP":
		return invalidParameter("Unsupported starting position for arn type: %s", m.source())
	case service == "selfmanaged" && len(m.SourceAccessConfigurations) == 0:
		return invalidParameter("Required 'sourceAccessConfigurations' parameter is missing.")
	case (service == "kafka" || service == "selfmanaged") && len(m.Topics) != 1:
		return invalidParameter("Topics must contain exactly one topic.")
	}
	s.mu.Lock()
	f := s.functions[m.Function]
	var timeout time.Duration
	if f != nil {
		if v := f.find(m.Qualifier); v != nil {
			timeout = time.Duration(v.Config.Timeout) * time.Second
		}
	}
	s.mu.Unlock()
	if timeout == 0 {
		return invalidParameter("Function does not exist")
	}
	if service == "sqs" {
		return s.checkQueue(m, timeout)
	}
	return nil
}

func (s *Server) checkQueue(m *mapping, timeout time.Duration) error {
	visibility, fifo, err := s.hooks.queues.Visibility(m.source())
	size, window := m.batchSize(), m.window()
	switch {
	case errors.Is(err, errNoQueue):
		return invalidParameter("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.")
	case err != nil:
		return err
	case visibility < timeout:
		return invalidParameter("Queue visibility timeout: %d seconds is less than Function timeout: %d seconds", int(visibility.Seconds()), int(timeout.Seconds()))
	case fifo && size > maxReceive:
		return invalidParameter("Batch size for FIFO queues must be between 1 and %d.", maxReceive)
	case fifo && window > 0:
		return invalidParameter("Batching window is not supported for FIFO queues.")
	case size > maxReceive && window == 0:
		return invalidParameter("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than %d", maxReceive)
	}
	return nil
}

func (m *mappingSettings) batchSize() int {
	switch {
	case m.BatchSize != nil:
		return *m.BatchSize
	case m.service() == "sqs":
		return 10
	}
	return 100
}

func (m *mappingSettings) window() time.Duration {
	if m.MaximumBatchingWindowInSeconds == nil {
		return 0
	}
	return time.Duration(*m.MaximumBatchingWindowInSeconds) * time.Second
}

// defaults fills in what a new mapping has where nothing was said.
func (m *mapping) defaults() {
	group := func(c **consumerGroup) {
		if *c == nil {
			*c = &consumerGroup{m.UUID}
		}
	}
	switch m.service() {
	case "kafka":
		group(&m.AmazonManagedKafkaEventSourceConfig)
	case "selfmanaged":
		group(&m.SelfManagedKafkaEventSourceConfig)
	}
}

// mappedTwice refuses a second mapping of a source to the same function. The caller holds mappings.mu.
func (s *Server) mappedTwice(m *mapping) error {
	for _, id := range slices.Sorted(maps.Keys(s.mappings.all)) {
		other := s.mappings.all[id]
		if other.Function != m.Function || other.Qualifier != m.Qualifier || other.service() != m.service() || !slices.Equal(other.Topics, m.Topics) {
			continue
		}
		function := s.qualifiedARN(m.Function, m.Qualifier)
		const update = "Please update or delete the existing mapping with UUID %s"
		switch m.service() {
		case "selfmanaged":
			if slices.ContainsFunc(m.brokers(), func(b string) bool { return slices.Contains(other.brokers(), b) }) {
				return conflict(`An event source mapping with event source ("%s"), function ("%s"), topics ("%s") already exists. `+update,
					strings.Join(m.brokers(), ","), function, strings.Join(m.Topics, ","), id)
			}
		case "sqs":
			if other.source() == m.source() {
				return conflict(`An event source mapping with SQS arn (" %s ") and function (" %s ") already exists. `+update, m.source(), m.Function, id)
			}
		default:
			if other.source() == m.source() {
				return conflict(`The event source arn (" %s ") and function (" %s ") provided mapping already exists. `+update, m.source(), m.Function, id)
			}
		}
	}
	return nil
}
