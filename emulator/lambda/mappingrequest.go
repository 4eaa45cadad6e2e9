package lambda

import (
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

// brokers are those of a cluster elsewhere.
func (m *mappingSettings) brokers() []string {
	if m.SelfManagedEventSource == nil {
		return nil
	}
	return m.SelfManagedEventSource.Endpoints["KAFKA_BOOTSTRAP_SERVERS"]
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
