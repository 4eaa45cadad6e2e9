package emulator

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/lambda"
	"github.com/faas-lambda/faas-lambda/emulator/sqs"
)

// queueStore is SQS as Lambda uses it.
type queueStore struct{ store *sqs.Store }

// theirQueue words an error of SQS's store as hooks do.
func theirQueue(err error) error {
	if errors.Is(err, sqs.ErrNoQueue) {
		return lambda.ErrNoQueue
	}
	return err
}

func (q queueStore) Receive(done <-chan struct{}, queue string, limit int, wait time.Duration) ([]lambda.Message, error) {
	messages, err := q.store.Receive(done, queue, limit, wait)
	var out []lambda.Message
	for _, m := range messages {
		custom := map[string]any{}
		for name, v := range m.Custom {
			custom[name] = eventAttribute(v)
		}
		out = append(out, lambda.Message{ID: m.ID, Receipt: m.Receipt, Body: m.Body, MD5: m.MD5, Attributes: m.Attributes, Custom: custom})
	}
	return out, theirQueue(err)
}

// eventAttribute is a message's attribute as events carry it.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func eventAttribute(v sqs.Value) map[string]any {
	out := map[string]any{"dataType": v.DataType, "stringListValues": []string{}, "binaryListValues": []string{}}
	if strings.HasPrefix(v.DataType, "Binary") {
		out["binaryValue"] = base64.StdEncoding.EncodeToString(v.Binary)
	} else {
		out["stringValue"] = v.Text
	}
	return out
}

func (q queueStore) Delete(queue string, receipts []string) error {
	return theirQueue(q.store.Delete(queue, receipts))
}

func (q queueStore) Release(queue string, receipts []string) error {
	return theirQueue(q.store.Release(queue, receipts))
}

func (q queueStore) Send(queue, body string, attributes map[string]string) error {
	values := map[string]sqs.Value{}
	for name, text := range attributes {
		values[name] = sqs.Value{DataType: "String", Text: text}
	}
	return theirQueue(q.store.Send(queue, body, values, "", ""))
}

func (q queueStore) Visibility(queue string) (time.Duration, bool, error) {
	timeout, fifo, err := q.store.Visibility(queue)
	return timeout, fifo, theirQueue(err)
}
