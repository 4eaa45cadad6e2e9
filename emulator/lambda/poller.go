package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/filter"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

const (
	// maxReceive is how many messages SQS hands out at once.
	maxReceive = 10
	// pollWait is how long one request for messages waits; AWS's longest.
	pollWait = 20 * time.Second
	// pollPause is the time after what went wrong.
	pollPause = time.Second
	// mostPolled is how many batches of a mapping are with the function at a time, unless its ScalingConfig says otherwise.
	mostPolled = 5
)

// poller reads a queue for a mapping.
type poller struct {
	lambda *Service
	m      *mapping
	q      ref
	keep   []*filter.Pattern // a message has to fit one of them; none: all are taken
	slots  chan struct{}     // for batches that are with the function
	ctx    context.Context   //nolint:containedctx // the life of the poller
	cancel context.CancelFunc
	ended  chan struct{}
	work   sync.WaitGroup // batches
}

// startPolling reads a queue from now on. Sources of other kinds have nothing to read here.
func (s *Service) startPolling(m *mapping) {
	if m.service() != "sqs" {
		return
	}
	p := &poller{lambda: s, m: m, q: ref{name: m.Function, qualifier: policyKey(m.Qualifier)}, ended: make(chan struct{})}
	most := mostPolled
	if c := m.ScalingConfig; c != nil && c.MaximumConcurrency != nil {
		most = *c.MaximumConcurrency
	}
	p.slots = make(chan struct{}, most)
	if m.FilterCriteria != nil {
		for _, f := range m.FilterCriteria.Filters {
			if pattern, err := filter.Parse([]byte(f.Pattern)); err == nil { // it was checked when it was set
				p.keep = append(p.keep, pattern)
			}
		}
	}
	p.ctx, p.cancel = context.WithCancel(s.ctx)
	s.mappings.pollersMu.Lock()
	s.mappings.pollers[m.UUID] = p
	s.mappings.pollersMu.Unlock()
	if !s.background(p.run) {
		p.cancel()
		close(p.ended)
	}
}

// stopPolling returns when nothing more is read for a mapping, and what was read is done with.
func (s *Service) stopPolling(id string) {
	s.mappings.pollersMu.Lock()
	p := s.mappings.pollers[id]
	delete(s.mappings.pollers, id)
	s.mappings.pollersMu.Unlock()
	if p != nil {
		p.cancel()
		<-p.ended
	}
}

// run reads until the mapping changes.
func (p *poller) run() {
	defer close(p.ended)
	defer p.cancel()
	defer p.work.Wait()
	said := "" // of what is wrong with the queue
	for {
		select {
		case p.slots <- struct{}{}:
		case <-p.ctx.Done():
			return
		}
		batch, err := p.batch()
		if err != nil && p.ctx.Err() == nil {
			if said != err.Error() {
				said = err.Error()
				p.lambda.opts.Logger.Warn("queue cannot be read", "mapping", p.m.UUID, "queue", p.m.source(), "error", err)
			}
			p.pause(pollPause)
		}
		if len(batch) == 0 {
			<-p.slots
			continue
		}
		p.work.Go(func() {
			defer func() { <-p.slots }()
			for _, part := range p.parts(batch) {
				p.deliver(part)
			}
		})
	}
}

func (p *poller) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
	}
}

// batch collects messages until there are enough, their window has passed or the poller ends. Those that no filter wants are deleted.
func (p *poller) batch() ([]Message, error) {
	var batch []Message
	size, until := p.m.batchSize(), time.Time{}
	bytes := 0
	for len(batch) < size && bytes < maxBatchBytes {
		wait := pollWait
		if len(batch) > 0 {
			if wait = time.Until(until); wait <= 0 {
				break
			}
		}
		got, err := p.lambda.services.Queues.Receive(p.ctx.Done(), p.m.source(), min(size-len(batch), maxReceive), wait)
		if err != nil {
			return batch, err
		}
		if len(batch) == 0 && len(got) > 0 {
			until = time.Now().Add(p.m.window())
		}
		for _, m := range got {
			bytes += len(m.Body)
		}
		wanted, unwanted := p.sort(got)
		batch = append(batch, wanted...)
		if len(unwanted) > 0 {
			if err := p.lambda.services.Queues.Delete(p.m.source(), unwanted); err != nil {
				return batch, err
			}
		}
		if len(got) == 0 {
			break
		}
	}
	return batch, nil
}

// maxBatchBytes is how much of messages an event holds; what is around them and the event has room below the limit of payloads.
const maxBatchBytes = maxSyncPayload - 64<<10

// parts cuts a batch into events that a function can be given.
func (p *poller) parts(batch []Message) [][]Message {
	var parts [][]Message
	size := maxBatchBytes
	for _, m := range batch {
		encoded, err := json.Marshal(p.record(m))
		if err != nil {
			continue // text always encodes
		}
		if size += len(encoded); size > maxBatchBytes {
			parts, size = append(parts, nil), len(encoded)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], m)
	}
	return parts
}

// sort tells the messages that go to the function from the receipts of those that no filter wants.
func (p *poller) sort(messages []Message) (wanted []Message, unwanted []string) {
	for _, m := range messages {
		if p.wants(m) {
			wanted = append(wanted, m)
		} else {
			unwanted = append(unwanted, m.Receipt)
		}
	}
	return wanted, unwanted
}

// wants tells whether a message fits a filter. A body that is JSON is compared as such, another as text.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
func (p *poller) wants(m Message) bool {
	if len(p.keep) == 0 {
		return true
	}
	data, err := json.Marshal(p.record(m))
	var record map[string]any
	if err != nil || json.Unmarshal(data, &record) != nil {
		return false // text always encodes
	}
	var body any
	if json.Unmarshal([]byte(m.Body), &body) == nil {
		if _, isObject := body.(map[string]any); isObject {
			record["body"] = body
		}
	}
	for _, pattern := range p.keep {
		if pattern.Match(record) {
			return true
		}
	}
	return false
}

// deliver invokes the function with a batch, and deletes what it is done with. The rest becomes visible again by itself; a throttled batch is kept
// and tried again for as long as the queue lets it out of sight, and given back at once when the poller ends.
func (p *poller) deliver(batch []Message) {
	s := p.lambda
	visibility, _, err := s.services.Queues.Visibility(p.m.source())
	if err != nil {
		return // the queue is gone, and the messages with it
	}
	payload, err := p.event(batch)
	if err != nil {
		s.opts.Logger.Warn("batch was not delivered", "mapping", p.m.UUID, "error", err)
		return
	}
	for until := time.Now().Add(visibility); time.Now().Before(until); {
		l, err := s.acquire(p.q)
		var refused *apiError
		switch {
		case err == nil:
			id := wire.NewID()
			out, body := s.run(l, event{requestID: id, arn: s.qualifiedARN(p.m.Function, p.m.Qualifier), payload: payload, traceID: traceID(nil)})
			switch {
			case out.err == nil && out.failure == nil:
				p.settle(batch, body)
			case out.err != nil && p.ctx.Err() != nil: // cut off
				p.giveBack(batch)
			}
			return
		case errors.As(err, &refused) && refused.code == "TooManyRequestsException":
			p.pause(throttleDelay)
		default:
			p.pause(pollPause) // the function is gone, or not ready
		}
		if p.ctx.Err() != nil {
			p.giveBack(batch)
			return
		}
	}
}

func (p *poller) giveBack(batch []Message) {
	if err := p.lambda.services.Queues.Release(p.m.source(), receipts(batch)); err != nil {
		p.lambda.opts.Logger.Warn("messages were not given back", "queue", p.m.source(), "error", err)
	}
}

func receipts(batch []Message) []string {
	var all []string
	for _, m := range batch {
		all = append(all, m.Receipt)
	}
	return all
}

// settle deletes the messages that the function is done with.
func (p *poller) settle(batch []Message, answer []byte) {
	done := batch
	if len(p.m.FunctionResponseTypes) > 0 {
		if done = succeeded(batch, answer); len(done) == 0 {
			return
		}
	}
	if err := p.lambda.services.Queues.Delete(p.m.source(), receipts(done)); err != nil {
		p.lambda.opts.Logger.Warn("messages were not deleted", "queue", p.m.source(), "error", err)
	}
}
