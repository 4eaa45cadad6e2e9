package memory

import (
	"context"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/logs"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// keptLines is how many lines of a function are kept.
const keptLines = 1000

// instance is what all invocations of a function run in.
const instance = "memory"

// log holds the last lines of a function: one for each invocation.
type log struct {
	name backend.Name

	mu     sync.Mutex // guards the rest
	first  int        // number of lines[0], counted from the function's start
	lines  []logs.Message
	more   chan struct{} // closed and replaced when there is another line
	closed bool
}

func newLog(name backend.Name) *log { return &log{name: name, more: make(chan struct{})} }

func (l *log) add(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, logs.Message{Name: l.name.Function, Namespace: l.name.Namespace, Instance: instance, Timestamp: time.Now().UTC(), Text: text})
	if len(l.lines) > 2*keptLines { // cut rarely, and into a slice of its own
		cut := len(l.lines) - keptLines
		l.lines, l.first = append([]logs.Message(nil), l.lines[cut:]...), l.first+cut
	}
	l.wake()
}

// close ends those that follow: the function is gone.
func (l *log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.wake()
}

// wake tells those that wait; the caller holds mu.
func (l *log) wake() {
	close(l.more)
	l.more = make(chan struct{})
}

// after returns the lines from number n on, the number that comes next, a
// channel that is closed when there are more, and whether there can be more.
func (l *log) after(n int) (lines []logs.Message, next int, more <-chan struct{}, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines = l.lines[min(max(n-l.first, 0), len(l.lines)):]
	return lines[:len(lines):len(lines)], l.first + len(l.lines), l.more, !l.closed
}

// Query implements backend.Logger.
func (b *Backend) Query(ctx context.Context, r logs.Request) (<-chan logs.Message, error) {
	f, err := b.find(backend.Name{Namespace: r.Namespace, Function: r.Name})
	if err != nil {
		return nil, err
	}
	out := make(chan logs.Message, 64)
	b.background.Go(func() {
		defer close(out)
		f.log.send(ctx, b.closing, r, out)
	})
	return out, nil
}

// send sends what r asks for, until that is done, ctx or closing ends.
func (l *log) send(ctx, closing context.Context, r logs.Request, out chan<- logs.Message) {
	lines, next, more, open := l.after(0)
	wanted := lines[:0:0]
	for _, m := range lines {
		if (r.Instance == "" || r.Instance == m.Instance) && (r.Since == nil || !m.Timestamp.Before(*r.Since)) {
			wanted = append(wanted, m)
		}
	}
	if r.Tail > 0 && len(wanted) > r.Tail {
		wanted = wanted[len(wanted)-r.Tail:]
	}
	for {
		for _, m := range wanted {
			select {
			case out <- m:
			case <-ctx.Done():
				return
			case <-closing.Done():
				return
			}
		}
		if !r.Follow || !open || r.Instance != "" && r.Instance != instance {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			return
		case <-closing.Done():
			return
		}
		wanted, next, more, open = l.after(next)
	}
}
