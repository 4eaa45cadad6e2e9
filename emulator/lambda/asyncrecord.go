package lambda

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// invocationRecord is what a destination gets.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
type invocationRecord struct {
	Version        string `json:"version"`
	Timestamp      string `json:"timestamp"`
	RequestContext struct {
		RequestID   string `json:"requestId"`
		FunctionArn string `json:"functionArn"`
		Condition   string `json:"condition"`
		Count       int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	RequestPayload  json.RawMessage  `json:"requestPayload"`
	ResponseContext *responseContext `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage  `json:"responsePayload,omitempty"`
}

type responseContext struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

// tell sends the record of an asynchronous invocation to its destination, and an event that failed to the dead-letter queue of its function.
func (s *Service) tell(q ref, ev event, r result) {
	to := ""
	if c := s.attachedTo(q).Async; c != nil {
		to = c.OnFailure
		if r.condition == conditionSuccess {
			to = c.OnSuccess
		}
	}
	if to != "" {
		s.dropped(to, s.sendRecord(q, to, ev, r))
	}
	if r.condition == conditionSuccess {
		return
	}
	if to := s.deadLetters(q); to != "" {
		attributes := map[string]string{"RequestID": ev.requestID, "ErrorCode": "200"}
		if r.failure != nil {
			var said struct{ ErrorMessage string }
			if json.Unmarshal(r.failure.document, &said) == nil && said.ErrorMessage != "" {
				attributes["ErrorMessage"] = said.ErrorMessage[:min(len(said.ErrorMessage), maxErrorMessage)]
			}
		}
		s.dropped(to, s.send(to, string(ev.payload), attributes))
	}
}

// sendRecord delivers the record of an invocation; an event bus gets it as an event.
func (s *Service) sendRecord(q ref, to string, ev event, r result) error {
	function := s.qualifiedARN(q.name, q.qualifier)
	record, err := recordOf(function, ev, r)
	if err != nil {
		return err
	}
	if strings.HasPrefix(to, "arn:aws:events:") {
		kind := "Failure"
		if r.condition == conditionSuccess {
			kind = "Success"
		}
		s.services.Bus.Put("lambda", "Lambda Function Invocation Result - "+kind, []string{to, function}, record)
		return nil
	}
	return s.send(to, string(record), nil)
}

// maxErrorMessage is how much of an error a dead letter carries, in bytes (docs.aws.amazon.com/lambda, "Dead-letter queues").
const maxErrorMessage = 1024

// dropped warns of what could not be delivered.
func (s *Service) dropped(to string, err error) {
	if err != nil && s.ctx.Err() == nil {
		s.opts.Logger.Warn("event was dropped", "destination", to, "error", err)
	}
}

// deadLetters returns the dead-letter queue or topic of what a qualifier names.
func (s *Service) deadLetters(q ref) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[q.name]
	if f == nil {
		return ""
	}
	if v := f.find(q.qualifier); v != nil && v.Config.DeadLetterConfig != nil {
		return v.Config.DeadLetterConfig.TargetArn
	}
	return ""
}

func recordOf(arn string, ev event, r result) ([]byte, error) {
	record := invocationRecord{Version: "1.0", Timestamp: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), RequestPayload: ev.payload}
	c := &record.RequestContext
	c.RequestID, c.FunctionArn, c.Condition, c.Count = ev.requestID, arn, r.condition, r.attempts
	if r.attempts > 0 {
		record.ResponseContext = &responseContext{StatusCode: 200, ExecutedVersion: r.version}
		record.ResponsePayload = payloadOf(r.response)
		if r.failure != nil {
			record.ResponseContext.FunctionError, record.ResponsePayload = unhandled, payloadOf(r.failure.document)
		}
	}
	data, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encode record of invocation: %w", err)
	}
	return data, nil
}

// payloadOf is an answer inside a record: JSON as it is, other text as a string.
func payloadOf(body []byte) json.RawMessage {
	if json.Valid(body) {
		return body
	}
	text, err := json.Marshal(string(body))
	if err != nil {
		return nil // text always encodes
	}
	return text
}

// send delivers to a queue, a topic or a function, by ARN, on behalf of the role of a function: no resource policy is asked.
func (s *Service) send(to, body string, attributes map[string]string) error {
	parts := strings.SplitN(to, ":", 4)
	if len(parts) < 4 {
		return fmt.Errorf("%s is no ARN", to)
	}
	switch parts[2] {
	case "sqs":
		return s.services.Queues.Send(to, body, attributes)
	case "sns":
		return s.services.Topics.Publish(to, body, attributes)
	case "lambda":
		return s.InvokeLater(to, []byte(body))
	}
	return fmt.Errorf("the embedded AWS does not deliver to %s", parts[2])
}
