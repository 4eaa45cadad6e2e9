package trigger

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// Lambda polls queues, streams and topics of Kafka by itself, and invokes what
// serves with what it finds. All mappings to the alias are ours; those that
// somebody else makes can name the function or a version.

// setMappings makes, changes and removes event source mappings.
func setMappings(ctx context.Context, at Attachment) error {
	if !at.concerns(Trigger.Mapped) {
		return nil
	}
	there, err := at.mappings(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, t := range at.wanted(Trigger.Mapped) {
		key := t.mappingKey()
		wanted[key] = true
		old, ok := there[key]
		switch {
		case at.Late:
		case !ok:
			err = at.createMapping(ctx, t)
		case !at.unchanged(t):
			err = at.updateMapping(ctx, aws.ToString(old.UUID), t)
		}
		if err != nil {
			return t.refused(err)
		}
	}
	if !at.Late {
		return nil
	}
	for key, old := range there {
		if wanted[key] {
			continue
		}
		if err := at.deleteMapping(ctx, aws.ToString(old.UUID)); err != nil {
			return err
		}
	}
	return nil
}

// mappings returns the mappings to what serves, by their sources, but for those
// that are being deleted.
func (at Attachment) mappings(ctx context.Context) (map[string]lambdatypes.EventSourceMappingConfiguration, error) {
	all := map[string]lambdatypes.EventSourceMappingConfiguration{}
	pages := lambda.NewListEventSourceMappingsPaginator(at.Lambda, &lambda.ListEventSourceMappingsInput{FunctionName: aws.String(at.aliasARN())})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var none *lambdatypes.ResourceNotFoundException
		if errors.As(err, &none) {
			return all, nil
		}
		if err != nil {
			return nil, awserr.Wrap("list event source mappings", err)
		}
		for _, m := range page.EventSourceMappings {
			if aws.ToString(m.State) != "Deleting" {
				all[mappingKey(m)] = m
			}
		}
	}
	return all, nil
}

// mappingKey names what a mapping reads.
func mappingKey(m lambdatypes.EventSourceMappingConfiguration) string {
	source := aws.ToString(m.EventSourceArn)
	if m.SelfManagedEventSource != nil {
		brokers := slices.Sorted(slices.Values(m.SelfManagedEventSource.Endpoints[string(lambdatypes.EndPointTypeKafkaBootstrapServers)]))
		source = strings.Join(brokers, ";")
	}
	return source + " " + strings.Join(m.Topics, ",")
}

func (t Trigger) mappingKey() string {
	source := t.Source
	if !strings.HasPrefix(source, "arn:") {
		source = strings.Join(slices.Sorted(strings.SplitSeq(source, ";")), ";")
	}
	return source + " " + t.Options["topic"]
}

func (at Attachment) createMapping(ctx context.Context, t Trigger) error {
	in := &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String(at.aliasARN()), BatchSize: t.int32Of("batch-size"), MaximumBatchingWindowInSeconds: t.secondsOf("window"),
		FilterCriteria: t.filter(), FunctionResponseTypes: t.responses(), DestinationConfig: t.destination(), ScalingConfig: t.scaling(),
		ParallelizationFactor: t.int32Of("parallelization"), MaximumRetryAttempts: t.int32Of("retries"), MaximumRecordAgeInSeconds: t.secondsOf("max-age"),
		BisectBatchOnFunctionError: t.bisects(), SourceAccessConfigurations: t.access(),
	}
	if strings.HasPrefix(t.Source, "arn:") {
		in.EventSourceArn = &t.Source
	} else {
		in.SelfManagedEventSource = &lambdatypes.SelfManagedEventSource{Endpoints: map[string][]string{string(lambdatypes.EndPointTypeKafkaBootstrapServers): strings.Split(t.Source, ";")}}
	}
	if t.Kind != "sqs" {
		in.StartingPosition = lambdatypes.EventSourcePositionLatest
		if position := t.Options["position"]; position != "" {
			in.StartingPosition = lambdatypes.EventSourcePosition(position)
		}
	}
	if t.Kind == "kafka" {
		in.Topics = []string{t.Options["topic"]}
		if group := t.Options["group"]; group != "" && in.EventSourceArn != nil {
			in.AmazonManagedKafkaEventSourceConfig = &lambdatypes.AmazonManagedKafkaEventSourceConfig{ConsumerGroupId: &group}
		} else if group != "" {
			in.SelfManagedKafkaEventSourceConfig = &lambdatypes.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: &group}
		}
	}
	_, err := at.Lambda.CreateEventSourceMapping(ctx, in)
	if awserr.Code(err) == "ResourceConflictException" {
		if there, lookErr := at.mappings(ctx); lookErr == nil {
			if _, ok := there[t.mappingKey()]; ok {
				return nil // of an attempt whose answer was lost
			}
		}
	}
	return awserr.Wrap("map "+t.Source, err)
}

// updateMapping changes the options of a mapping. Its position in a stream stays
// where it is.
func (at Attachment) updateMapping(ctx context.Context, id string, t Trigger) error {
	in := &lambda.UpdateEventSourceMappingInput{
		UUID: &id, FunctionName: aws.String(at.aliasARN()), BatchSize: t.int32Of("batch-size"), MaximumBatchingWindowInSeconds: t.secondsOf("window"),
		FilterCriteria: t.filter(), FunctionResponseTypes: t.responses(), DestinationConfig: t.destination(), ScalingConfig: t.scaling(),
		ParallelizationFactor: t.int32Of("parallelization"), MaximumRetryAttempts: t.int32Of("retries"), MaximumRecordAgeInSeconds: t.secondsOf("max-age"),
		BisectBatchOnFunctionError: t.bisects(), SourceAccessConfigurations: t.access(),
	}
	t.resetMapping(in)
	return at.patiently(ctx, "change mapping of "+t.Source, func() error {
		_, err := at.Lambda.UpdateEventSourceMapping(ctx, in)
		return err
	})
}

func (at Attachment) deleteMapping(ctx context.Context, id string) error {
	return left(at.patiently(ctx, "remove event source mapping "+id, func() error {
		_, err := at.Lambda.DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: &id})
		var gone *lambdatypes.ResourceNotFoundException
		if errors.As(err, &gone) {
			return nil
		}
		return err
	}))
}

// patiently repeats what is refused while a mapping is being made or changed
// (Lambda API, ResourceInUseException).
func (at Attachment) patiently(ctx context.Context, doing string, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, at.Patience)
	defer cancel()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := do()
		if awserr.Code(err) != "ResourceInUseException" {
			return awserr.Wrap(doing, err)
		}
		select {
		case <-ctx.Done():
			return awserr.Wrap(doing, err)
		case <-time.After(wait):
		}
	}
}
