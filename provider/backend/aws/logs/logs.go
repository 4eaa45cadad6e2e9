// Package logs reads the lines of one function from its log group in CloudWatch Logs:
// those of the past, the last of them, and those that come. It makes no group and sets
// no retention, and which group a function has is told to it.
package logs

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/openfaas/faas-provider/logs"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
)

const (
	// logPoll is how often followed logs are asked for. CloudWatch allows few
	// such calls a second in an account, so that it is longer when many follow.
	logPoll = time.Second
	// followersPerPoll is how many may follow at logPoll.
	followersPerPoll = 5
	// logOverlap is how far back each poll looks again, deepOverlap every
	// deepEvery-th one: lines arrive late, those of one stream in order and those
	// of different streams seconds apart.
	logOverlap  = 10 * time.Second
	deepOverlap = 2 * time.Minute
	deepEvery   = 15
	// logAhead is how much newer than our clock a line may be.
	logAhead = 5 * time.Minute
	// maxTailLines and maxTailBytes are the most that a tail is held of.
	maxTailLines = 10_000
	maxTailBytes = 16 << 20
)

// Reader answers queries. One is for all of a provider: the more of them follow, the
// longer each waits between two calls. It may be used concurrently.
type Reader struct {
	log       *slog.Logger
	poll      time.Duration // how often followed logs are asked for
	followers atomic.Int64
}

// NewReader returns a reader that tells log of lines that are late or missing.
func NewReader(log *slog.Logger) *Reader { return &Reader{log: log, poll: logPoll} }

// Source is the function whose lines are read.
type Source struct {
	Client   *cloudwatchlogs.Client
	Name     backend.Name
	Function string                     // its name in Lambda
	Group    string                     // name of its log group, which may be that of others too, and need not be there yet
	Gone     func(context.Context) bool // tells whether the function is no more, which ends what follows
}

// Query sends the lines that a request, whose name and namespace are not looked at,
// asks for, and closes the channel after them, when ctx ends, or when the function is
// gone. Those that Lambda writes itself are among them when backend.PlatformLines says
// so. Lines of all sandboxes come in the order of their time, as far as they are there.
// A line that arrives late, by up to two minutes, comes late and is not lost; none
// comes twice.
func (r *Reader) Query(ctx context.Context, source Source, request logs.Request) (<-chan logs.Message, error) {
	q := &query{
		Source: source, reader: r, request: request, platform: backend.PlatformLines(ctx),
		out: make(chan logs.Message, 64), seen: newSeenEvents(time.Now().Add(-deepOverlap - logOverlap)),
	}
	// The first call is made here, so that what is wrong is told.
	first, err := q.page(ctx, q.window(time.Now()))
	if err != nil {
		return nil, err
	}
	go q.run(ctx, first)
	return q.out, nil
}

// run sends everything that was asked for and closes out.
func (q *query) run(ctx context.Context, first answer) {
	defer close(q.out)
	now := time.Now()
	err := q.past(ctx, now, first)
	if err == nil && q.request.Follow {
		err = q.follow(ctx, now)
	}
	if err != nil && ctx.Err() == nil {
		q.reader.log.Warn("logs end early", "function", q.Name.Function, "namespace", q.Name.Namespace, "error", err)
	}
}

// window is what of the past is asked for.
func (q *query) window(now time.Time) window {
	w := window{to: now.Add(logAhead)}
	if q.request.Since != nil {
		w.from = *q.request.Since
	}
	if q.request.Tail > 0 { // the end of it first
		w.from = later(w.from, now.Add(-tailSteps[0]))
	}
	return w
}

// past sends the lines that there are, or the last of them.
func (q *query) past(ctx context.Context, now time.Time, first answer) error {
	if q.request.Since != nil {
		q.begin = *q.request.Since
	}
	if q.request.Tail <= 0 {
		return q.pages(ctx, q.window(now), &first, q.send)
	}
	lines, err := q.tail(ctx, now, first)
	for i := 0; i < len(lines) && err == nil; i++ {
		err = q.send(ctx, lines[i])
	}
	return err
}

// tailSteps are how far back the last lines are looked for, one after the other:
// CloudWatch reads forward.
var tailSteps = []time.Duration{
	time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour,
}

// tail returns the last lines, the oldest first.
func (q *query) tail(ctx context.Context, now time.Time, first answer) ([]line, error) {
	want := min(q.request.Tail, maxTailLines)
	w, page := q.window(now), &first
	var all []line
	for step := 1; ; step++ {
		kept := tail{limit: want - len(all)}
		err := q.pages(ctx, w, page, func(_ context.Context, l line) error {
			kept.add(l)
			return nil
		})
		if err != nil {
			return nil, err
		}
		all, page, q.begin = append(kept.held, all...), nil, w.from
		begin := time.Time{}
		if q.request.Since != nil {
			begin = *q.request.Since
		}
		if len(all) >= want || !w.from.After(begin) {
			return all, nil
		}
		w.to, w.from = w.from.Add(-time.Millisecond), begin
		if step < len(tailSteps) {
			w.from = later(begin, now.Add(-tailSteps[step]))
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// follow sends what comes, until ctx ends or the function is no more.
func (q *query) follow(ctx context.Context, from time.Time) error {
	q.reader.followers.Add(1)
	defer q.reader.followers.Add(-1)
	for poll := 1; ; poll++ {
		if err := clock.Pause(ctx, q.reader.poll*time.Duration(1+q.reader.followers.Load()/followersPerPoll)); err != nil {
			return err
		}
		now, overlap := time.Now(), logOverlap
		if poll%deepEvery == 0 {
			overlap = deepOverlap
			if q.Gone(ctx) {
				return nil
			}
		}
		w := window{from: later(q.begin, later(q.seen.floor, from.Add(-overlap))), to: now.Add(logAhead)}
		if err := q.pages(ctx, w, nil, q.send); err != nil {
			if ctx.Err() != nil {
				return err
			}
			// What was missed is asked for again: from stays.
			q.reader.log.Warn("logs are late", "function", q.Name.Function, "namespace", q.Name.Namespace, "error", err)
			continue
		}
		from = now
		q.seen.forget(now.Add(-deepOverlap - logOverlap))
	}
}
