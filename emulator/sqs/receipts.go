package sqs

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// receipt names one reception of a message.
func (m message) receipt() string {
	return base64.StdEncoding.EncodeToString([]byte(m.ID + " " + strconv.Itoa(m.Receives)))
}

// byReceipt finds a message. nil without error is one that is gone. latest is false when it has been received again since. The caller holds mu.
func (q *queue) byReceipt(receipt string) (m *message, latest bool, err error) {
	text, err := base64.StdEncoding.DecodeString(receipt)
	id, number, ok := strings.Cut(string(text), " ")
	if err != nil || !ok || len(id) != len(wire.NewID()) {
		return nil, false, wire.Refuse("ReceiptHandleIsInvalid", "The input receipt handle \"%s\" is not a valid receipt handle.", receipt)
	}
	for _, m := range q.messages {
		if m.ID == id {
			return m, strconv.Itoa(m.Receives) == number, nil
		}
	}
	return nil, false, nil
}

// remove deletes what was received. An old receipt of a standard queue deletes nothing, and succeeds. The caller holds mu.
func (s *Store) remove(q *queue, receipt string) error {
	m, latest, err := q.byReceipt(receipt)
	if err != nil || m == nil {
		return err
	}
	if q.fifo() && (!latest || !m.VisibleAt.After(s.opts.Now())) {
		return wire.Refuse("InvalidParameterValue", "Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", receipt)
	}
	if !latest {
		return nil
	}
	if err := s.drop(q, m); err != nil {
		return err
	}
	q.wake() // the rest of its group may go on
	return nil
}

type receiptEntry struct {
	Id                string // of a batch
	ReceiptHandle     string
	VisibilityTimeout int // of ChangeMessageVisibility
}

func (s *Store) deleteMessage(_ context.Context, in *struct {
	queueURL
	receiptEntry
}) (none, error) {
	return with(s, in.QueueUrl, func(q *queue) (none, error) { return none{}, s.remove(q, in.ReceiptHandle) })
}

func visibilityAllowed(seconds int) bool {
	return seconds >= numbers["VisibilityTimeout"].least && seconds <= numbers["VisibilityTimeout"].most
}

func badVisibility(seconds int) error {
	return wire.Refuse("InvalidParameterValue", "Value %d for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].", seconds)
}

// hide makes a message invisible from now on, or visible. The caller holds mu.
func (s *Store) hide(q *queue, receipt string, seconds int) error {
	if !visibilityAllowed(seconds) {
		return badVisibility(seconds)
	}
	m, _, err := q.byReceipt(receipt)
	if err != nil {
		return err
	}
	now := s.opts.Now()
	if m == nil || !m.VisibleAt.After(now) {
		return &wire.Error{Code: "MessageNotInflight", QueryCode: "AWS.SimpleQueueService.MessageNotInflight", Message: "The message referred to isn't in flight."}
	}
	changed := *m
	changed.VisibleAt = now.Add(time.Duration(seconds) * time.Second)
	if err := s.put(q, &changed); err != nil {
		return err
	}
	*m = changed
	q.wake()
	return nil
}

func (s *Store) changeVisibility(_ context.Context, in *struct {
	queueURL
	receiptEntry
}) (none, error) {
	return with(s, in.QueueUrl, func(q *queue) (none, error) {
		return none{}, s.hide(q, in.ReceiptHandle, in.VisibilityTimeout)
	})
}

type done struct {
	Id string
}

type deleteBatchAnswer struct {
	Successful []done   `query:"DeleteMessageBatchResultEntry"`
	Failed     []failed `query:"BatchResultErrorEntry"`
}

func (s *Store) deleteBatch(_ context.Context, in *struct {
	queueURL
	Entries []receiptEntry `query:"DeleteMessageBatchRequestEntry"`
}) (out deleteBatchAnswer, err error) {
	out.Successful, out.Failed, err = s.batch(in.QueueUrl, in.Entries, func(q *queue, e receiptEntry) error { return s.remove(q, e.ReceiptHandle) })
	return out, err
}

type visibilityBatchAnswer struct {
	Successful []done   `query:"ChangeMessageVisibilityBatchResultEntry"`
	Failed     []failed `query:"BatchResultErrorEntry"`
}

func (s *Store) changeVisibilityBatch(_ context.Context, in *struct {
	queueURL
	Entries []receiptEntry `query:"ChangeMessageVisibilityBatchRequestEntry"`
}) (out visibilityBatchAnswer, err error) {
	out.Successful, out.Failed, err = s.batch(in.QueueUrl, in.Entries, func(q *queue, e receiptEntry) error { return s.hide(q, e.ReceiptHandle, e.VisibilityTimeout) })
	return out, err
}

// batch does one thing to each of several receptions.
func (s *Store) batch(url string, entries []receiptEntry, do func(q *queue, e receiptEntry) error) ([]done, []failed, error) {
	succeeded, wrong := []done{}, []failed{}
	_, err := with(s, url, func(q *queue) (none, error) {
		var ids []string
		for _, e := range entries {
			ids = append(ids, e.Id)
		}
		if err := checkBatch(ids); err != nil {
			return none{}, err
		}
		for _, e := range entries {
			if err := do(q, e); err != nil {
				wrong = append(wrong, failure(e.Id, err))
			} else {
				succeeded = append(succeeded, done{e.Id})
			}
		}
		return none{}, nil
	})
	return succeeded, wrong, err
}
