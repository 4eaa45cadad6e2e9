package logs

import (
	"context"
	"errors"
	"hash/maphash"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/openfaas/faas-provider/logs"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
)

// query is one Query under way.
type query struct {
	Source
	reader   *Reader
	request  logs.Request
	platform bool
	out      chan logs.Message
	seen     *seenEvents
	begin    time.Time // before it nothing was, or shall be, read
}

// window is a span of event times, both ends in it.
type window struct{ from, to time.Time }

// line is a line that was asked for.
type line struct {
	at             time.Time
	instance, text string
}

// answer is an answer of CloudWatch.
type answer struct {
	lines []line
	next  *string
}

// page reads the first page of a window.
func (q *query) page(ctx context.Context, w window) (answer, error) {
	return q.read(ctx, w, nil)
}

// pages gives the lines of a window, page by page, so that what is held is one
// page: at most a megabyte of text. first is the first one where it was read
// already.
func (q *query) pages(ctx context.Context, w window, first *answer, use func(context.Context, line) error) error {
	var page answer
	var err error
	if first != nil {
		page = *first
	} else if page, err = q.patiently(ctx, w, nil); err != nil {
		return err
	}
	for {
		for _, line := range page.lines {
			if err := use(ctx, line); err != nil {
				return err
			}
		}
		if page.next == nil {
			return nil
		}
		if page, err = q.patiently(ctx, w, page.next); err != nil {
			return err
		}
	}
}

// patience is how many polls long a call that is throttled is repeated, after the
// SDK has tried for a while: many may be reading logs at once.
const patience = 10

// patiently is read for those who have begun to send.
func (q *query) patiently(ctx context.Context, w window, token *string) (answer, error) {
	for tries := 1; ; tries++ {
		page, err := q.read(ctx, w, token)
		if err == nil || tries == patience || !errors.Is(err, backend.ErrThrottled) && !errors.Is(err, backend.ErrUnavailable) {
			return page, err
		}
		if err := clock.Pause(ctx, q.reader.poll); err != nil {
			return page, err
		}
	}
}

// read is one call. A group that is not there has no lines yet: Lambda makes it
// when a function prints its first one.
func (q *query) read(ctx context.Context, w window, token *string) (answer, error) {
	in := &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: &q.Group, StartTime: aws.Int64(max(0, w.from.UnixMilli())), EndTime: aws.Int64(w.to.UnixMilli()), NextToken: token,
	}
	if strings.Contains(q.request.Instance, "/") {
		in.LogStreamNames = []string{q.request.Instance}
	}
	out, err := q.Client.FilterLogEvents(ctx, in)
	if awserr.Code(err) == "ResourceNotFoundException" {
		return answer{}, nil
	}
	if err != nil {
		return answer{}, awserr.Wrap("read logs of function "+q.Name.String(), err)
	}
	page := answer{next: out.NextToken}
	for _, e := range out.Events {
		at := time.UnixMilli(aws.ToInt64(e.Timestamp)).UTC()
		function, instance := instanceOf(aws.ToString(e.LogStreamName))
		text := strings.TrimSuffix(aws.ToString(e.Message), "\n")
		switch {
		case q.seen.before(aws.ToString(e.EventId), at):
		case function != "" && function != q.Function: // of another one, in the same group
		case q.request.Instance != "" && q.request.Instance != instance && q.request.Instance != aws.ToString(e.LogStreamName):
		case !q.platform && platformLine(text):
		default:
			page.lines = append(page.lines, line{at, instance, text})
		}
	}
	return page, nil
}

// send gives one line to the client.
func (q *query) send(ctx context.Context, l line) error {
	select {
	case q.out <- logs.Message{Name: q.Name.Function, Namespace: q.Name.Namespace, Instance: l.instance, Timestamp: l.at, Text: l.text}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tail holds the last lines of those that were added.
type tail struct {
	limit, bytes int
	held         []line
}

func (r *tail) add(l line) {
	r.held = append(r.held, l)
	r.bytes += len(l.text)
	for len(r.held) > r.limit || r.bytes > maxTailBytes {
		r.bytes -= len(r.held[0].text)
		r.held[0] = line{}
		r.held = r.held[1:]
	}
}

// maxSeen bounds what is remembered of events: some 20 MB.
const maxSeen = 500_000

// seenEvents are the events that were read lately, by a hash of their ids: those
// newer than floor.
type seenEvents struct {
	seed  maphash.Seed
	at    map[uint64]int64 // milliseconds
	floor time.Time
	limit int
}

func newSeenEvents(floor time.Time) *seenEvents {
	return &seenEvents{seed: maphash.MakeSeed(), at: map[uint64]int64{}, floor: floor, limit: maxSeen}
}

// before tells whether an event was read before, and remembers it.
func (s *seenEvents) before(id string, at time.Time) bool {
	if at.Before(s.floor) {
		return false
	}
	key := maphash.String(s.seed, id)
	if _, known := s.at[key]; known {
		return true
	}
	s.at[key] = at.UnixMilli()
	if len(s.at) > s.limit { // more lines a second than can be looked at twice
		s.forget(time.Now().Add(time.Until(s.floor) / 2))
	}
	return false
}

// forget drops what is older than floor, which is then not to be asked for again.
func (s *seenEvents) forget(floor time.Time) {
	if !floor.After(s.floor) {
		return
	}
	s.floor = floor
	oldest := floor.UnixMilli()
	maps.DeleteFunc(s.at, func(_ uint64, at int64) bool { return at < oldest })
}
