package lambda

import (
	"fmt"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// mappingDocument is what the API tells of a mapping; which members there are depends on its source (recorded from the real service).
func (s *Service) mappingDocument(m *mapping) map[string]any {
	out := map[string]any{
		"UUID": m.UUID, "FunctionArn": s.qualifiedARN(m.Function, m.Qualifier), "BatchSize": m.batchSize(),
		"LastModified": wire.Time{Time: m.LastModified}, "State": m.State, "StateTransitionReason": "USER_INITIATED",
	}
	if m.EventSourceArn != nil {
		out["EventSourceArn"] = *m.EventSourceArn
		out["EventSourceMappingArn"] = s.mappingARN(m.UUID)
	}
	if c := m.FilterCriteria; c != nil && len(c.Filters) > 0 {
		out["FilterCriteria"] = c
	}
	if c := m.ScalingConfig; c != nil && c.MaximumConcurrency != nil {
		out["ScalingConfig"] = c
	}
	switch m.service() {
	case "sqs":
		out["MaximumBatchingWindowInSeconds"] = int(m.window().Seconds())
		m.tellResponses(out)
	case "kinesis", "dynamodb":
		m.tellStream(out)
	default:
		m.tellKafka(out)
	}
	return out
}

func (s *Service) mappingARN(id string) string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:event-source-mapping:%s", s.opts.Region, s.opts.Account, id)
}

func (m *mapping) tellResponses(out map[string]any) {
	out["FunctionResponseTypes"] = append([]string{}, m.FunctionResponseTypes...)
}

const noRecords = "No records processed"

func (m *mapping) tellStream(out map[string]any) {
	number := func(name string, value *int, otherwise int) {
		out[name] = otherwise
		if value != nil {
			out[name] = *value
		}
	}
	number("MaximumBatchingWindowInSeconds", m.MaximumBatchingWindowInSeconds, 0)
	number("MaximumRecordAgeInSeconds", m.MaximumRecordAgeInSeconds, -1)
	number("MaximumRetryAttempts", m.MaximumRetryAttempts, -1)
	number("ParallelizationFactor", m.ParallelizationFactor, 1)
	number("TumblingWindowInSeconds", m.TumblingWindowInSeconds, 0)
	m.tellResponses(out)
	out["BisectBatchOnFunctionError"] = m.BisectBatchOnFunctionError != nil && *m.BisectBatchOnFunctionError
	onFailure := destination{}
	if d := m.DestinationConfig; d != nil && d.OnFailure != nil {
		onFailure = *d.OnFailure
	}
	out["DestinationConfig"] = map[string]any{"OnFailure": onFailure}
	out["StateTransitionReason"], out["LastProcessingResult"] = "User action", noRecords
	m.tellPosition(out)
}

func (m *mapping) tellPosition(out map[string]any) {
	if m.StartingPosition != nil {
		out["StartingPosition"] = *m.StartingPosition
	}
	if m.StartingPositionTimestamp != nil {
		out["StartingPositionTimestamp"] = *m.StartingPositionTimestamp
	}
}

func (m *mapping) tellKafka(out map[string]any) {
	out["Topics"], out["LastProcessingResult"] = m.Topics, noRecords
	m.tellPosition(out)
	if m.MaximumBatchingWindowInSeconds != nil {
		out["MaximumBatchingWindowInSeconds"] = *m.MaximumBatchingWindowInSeconds
	}
	if len(m.SourceAccessConfigurations) > 0 {
		out["SourceAccessConfigurations"] = m.SourceAccessConfigurations
	}
	if m.SelfManagedEventSource != nil {
		out["SelfManagedEventSource"] = m.SelfManagedEventSource
		out["SelfManagedKafkaEventSourceConfig"] = m.SelfManagedKafkaEventSourceConfig
	} else {
		out["AmazonManagedKafkaEventSourceConfig"] = m.AmazonManagedKafkaEventSourceConfig
	}
	if d := m.DestinationConfig; d != nil && d.OnFailure != nil {
		out["DestinationConfig"] = map[string]any{"OnFailure": d.OnFailure}
	}
}
