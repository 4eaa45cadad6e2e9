package aws

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/openfaas/faas-provider/logs"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

var _ backend.Logger = (*Backend)(nil)

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

// Query implements backend.Logger with CloudWatch Logs. Lines of all sandboxes
// come in the order of their time, as far as they are there. A line that arrives
// late, by up to two minutes, comes late and is not lost; none comes twice.
func (b *Backend) Query(ctx context.Context, r logs.Request) (<-chan logs.Message, error) {
	name := backend.Name{Namespace: r.Namespace, Function: r.Name}
	f, err := b.find(ctx, name)
	if err != nil {
		return nil, err
	}
	q := &logQuery{
		backend: b, client: f.account.logs, name: name, function: f.function(), group: groupOf(f),
		request: r, platform: backend.PlatformLines(ctx), out: make(chan logs.Message, 64), seen: newSeenEvents(time.Now().Add(-deepOverlap - logOverlap)),
	}
	// The first call is made here, so that what is wrong is told.
	first, err := q.page(ctx, q.window(time.Now()))
	if err != nil {
		return nil, err
	}
	go q.run(ctx, first)
	return q.out, nil
}

// groupOf is where a function's log lines go.
func groupOf(f *found) string {
	if c := f.config.LoggingConfig; c != nil && aws.ToString(c.LogGroup) != "" {
		return aws.ToString(c.LogGroup)
	}
	return logGroup(f.function())
}

// run sends everything that was asked for and closes out.
func (q *logQuery) run(ctx context.Context, first logPage) {
	defer close(q.out)
	now := time.Now()
	err := q.past(ctx, now, first)
	if err == nil && q.request.Follow {
		err = q.follow(ctx, now)
	}
	if err != nil && ctx.Err() == nil {
		q.backend.log.Warn("logs end early", "function", q.name.Function, "namespace", q.name.Namespace, "error", err)
	}
}

// window is what of the past is asked for.
func (q *logQuery) window(now time.Time) logWindow {
	w := logWindow{to: now.Add(logAhead)}
	if q.request.Since != nil {
		w.from = *q.request.Since
	}
	if q.request.Tail > 0 { // the end of it first
		w.from = later(w.from, now.Add(-tailSteps[0]))
	}
	return w
}

// past sends the lines that there are, or the last of them.
func (q *logQuery) past(ctx context.Context, now time.Time, first logPage) error {
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
func (q *logQuery) tail(ctx context.Context, now time.Time, first logPage) ([]logLine, error) {
	want := min(q.request.Tail, maxTailLines)
	w, page := q.window(now), &first
	var all []logLine
	for step := 1; ; step++ {
		kept := logTail{limit: want - len(all)}
		err := q.pages(ctx, w, page, func(_ context.Context, l logLine) error {
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
func (q *logQuery) follow(ctx context.Context, from time.Time) error {
	followers := &q.backend.followers
	followers.Add(1)
	defer followers.Add(-1)
	for poll := 1; ; poll++ {
		if err := pause(ctx, q.backend.logPoll*time.Duration(1+followers.Load()/followersPerPoll)); err != nil {
			return err
		}
		now, overlap := time.Now(), logOverlap
		if poll%deepEvery == 0 {
			overlap = deepOverlap
			if _, err := q.backend.Status(ctx, q.name); errors.Is(err, backend.ErrNotFound) {
				return nil
			}
		}
		w := logWindow{from: later(q.begin, later(q.seen.floor, from.Add(-overlap))), to: now.Add(logAhead)}
		if err := q.pages(ctx, w, nil, q.send); err != nil {
			if ctx.Err() != nil {
				return err
			}
			// What was missed is asked for again: from stays.
			q.backend.log.Warn("logs are late", "function", q.name.Function, "namespace", q.name.Namespace, "error", err)
			continue
		}
		from = now
		q.seen.forget(now.Add(-deepOverlap - logOverlap))
	}
}
