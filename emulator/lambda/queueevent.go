package lambda

import "encoding/json"

// succeeded are the messages that a partial answer does not name. Whatever is no such answer, or names what was not sent, is a failure of the whole
// batch. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
func succeeded(batch []Message, answer []byte) []Message {
	var said struct {
		BatchItemFailures []struct {
			ItemIdentifier *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if len(answer) > 0 && json.Unmarshal(answer, &said) != nil {
		return nil
	}
	failed := map[string]bool{}
	for _, f := range said.BatchItemFailures {
		if f.ItemIdentifier == nil || *f.ItemIdentifier == "" {
			return nil
		}
		failed[*f.ItemIdentifier] = true
	}
	var done []Message
	for _, m := range batch {
		if failed[m.ID] {
			delete(failed, m.ID)
		} else {
			done = append(done, m)
		}
	}
	if len(failed) > 0 {
		return nil
	}
	return done
}

// queueRecord is a message in an event. https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
type queueRecord struct {
	MessageID         string            `json:"messageId"`
	ReceiptHandle     string            `json:"receiptHandle"`
	Body              string            `json:"body"`
	Attributes        map[string]string `json:"attributes"`
	MessageAttributes map[string]any    `json:"messageAttributes"`
	MD5OfBody         string            `json:"md5OfBody"`
	EventSource       string            `json:"eventSource"`
	EventSourceARN    string            `json:"eventSourceARN"`
	AWSRegion         string            `json:"awsRegion"`
}

func (p *poller) record(m Message) queueRecord {
	return queueRecord{
		MessageID: m.ID, ReceiptHandle: m.Receipt, Body: m.Body, Attributes: m.Attributes, MessageAttributes: m.Custom, MD5OfBody: m.MD5,
		EventSource: "aws:sqs", EventSourceARN: p.m.source(), AWSRegion: p.lambda.opts.Region,
	}
}

func (p *poller) event(batch []Message) ([]byte, error) {
	var e struct{ Records []queueRecord }
	for _, m := range batch {
		e.Records = append(e.Records, p.record(m))
	}
	return json.Marshal(e)
}
