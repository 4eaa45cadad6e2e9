package trigger

import (
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/notation"
)

// int32Of returns an option as a number; nil when it is not set.
func (t Trigger) int32Of(option string) *int32 {
	n, err := strconv.ParseInt(t.Options[option], 10, 32)
	if err != nil {
		return nil // not set: what is set was checked
	}
	return aws.Int32(int32(n))
}

// secondsOf returns an option that is a duration.
func (t Trigger) secondsOf(option string) *int32 {
	d, err := notation.Duration(t.Options[option])
	if err != nil {
		return nil
	}
	return aws.Int32(int32(d.Seconds()))
}

func (t Trigger) filter() *lambdatypes.FilterCriteria {
	if t.Options["filter"] == "" {
		return nil
	}
	return &lambdatypes.FilterCriteria{Filters: []lambdatypes.Filter{{Pattern: aws.String(t.Options["filter"])}}}
}

func (t Trigger) responses() []lambdatypes.FunctionResponseType {
	if t.Options["report-failures"] != "true" {
		return nil
	}
	return []lambdatypes.FunctionResponseType{lambdatypes.FunctionResponseTypeReportBatchItemFailures}
}

func (t Trigger) destination() *lambdatypes.DestinationConfig {
	if t.Options["on-failure"] == "" {
		return nil
	}
	return &lambdatypes.DestinationConfig{OnFailure: &lambdatypes.OnFailure{Destination: aws.String(t.Options["on-failure"])}}
}

func (t Trigger) scaling() *lambdatypes.ScalingConfig {
	if n := t.int32Of("concurrency"); n != nil {
		return &lambdatypes.ScalingConfig{MaximumConcurrency: n}
	}
	return nil
}

func (t Trigger) bisects() *bool {
	if t.Options["bisect"] == "" {
		return nil
	}
	return aws.Bool(t.Options["bisect"] == "true")
}

// access is how Kafka's brokers are logged in to.
func (t Trigger) access() []lambdatypes.SourceAccessConfiguration {
	if t.Options["secret"] == "" {
		return nil
	}
	auth := t.Options["auth"]
	if auth == "" {
		auth = string(lambdatypes.SourceAccessTypeSaslScram512Auth)
	}
	return []lambdatypes.SourceAccessConfiguration{{Type: lambdatypes.SourceAccessType(auth), URI: aws.String(t.Options["secret"])}}
}

// resetMapping names what in does not name, with what a new mapping has: an
// update leaves alone what it does not name (Lambda API,
// UpdateEventSourceMapping). Kafka's own window of half a second cannot be asked
// for; without one is nearest.
func (t Trigger) resetMapping(in *lambda.UpdateEventSourceMappingInput) {
	size := int32(100)
	if t.Kind == "sqs" {
		size = 10
		otherwise(&in.ScalingConfig, lambdatypes.ScalingConfig{})
	}
	otherwise(&in.BatchSize, size)
	otherwise(&in.MaximumBatchingWindowInSeconds, 0)
	otherwise(&in.FilterCriteria, lambdatypes.FilterCriteria{Filters: []lambdatypes.Filter{}})
	if in.FunctionResponseTypes == nil {
		in.FunctionResponseTypes = []lambdatypes.FunctionResponseType{}
	}
	switch t.Kind {
	case "kinesis", "dynamodb":
		otherwise(&in.ParallelizationFactor, 1)
		otherwise(&in.MaximumRetryAttempts, -1)
		otherwise(&in.MaximumRecordAgeInSeconds, -1)
		otherwise(&in.BisectBatchOnFunctionError, false)
		otherwise(&in.DestinationConfig, lambdatypes.DestinationConfig{OnFailure: &lambdatypes.OnFailure{Destination: aws.String("")}})
	case "kafka":
		if in.SourceAccessConfigurations == nil {
			in.SourceAccessConfigurations = []lambdatypes.SourceAccessConfiguration{}
		}
	}
}

// otherwise sets what is not set.
func otherwise[T any](to **T, value T) {
	if *to == nil {
		*to = &value
	}
}
