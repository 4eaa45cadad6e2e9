package lambda

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// checkSource says what is wrong with a mapping together with its source and its function.
func (s *Service) checkSource(m *mapping) error {
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

func (s *Service) checkQueue(m *mapping, timeout time.Duration) error {
	visibility, fifo, err := s.services.Queues.Visibility(m.source())
	size, window := m.batchSize(), m.window()
	switch {
	case errors.Is(err, ErrNoQueue):
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

// mappedTwice refuses a second mapping of a source to the same function. The caller holds the lock of s.mappings.
func (s *Service) mappedTwice(m *mapping) error {
	for _, id := range slices.Sorted(maps.Keys(s.mappings.All)) {
		other := s.mappings.All[id]
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
