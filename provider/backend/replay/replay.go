// Package replay makes a request's body one that can be sent again: it
// remembers what was read of it, up to a limit, so that another attempt can
// begin at its beginning. It reads no more of the body than an attempt asks for,
// and what was not asked for still streams.
package replay

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// ErrEnded is what an attempt reads that is not the last one any more.
var ErrEnded = errors.New("read request body: another attempt has begun")

// Budget bounds what all bodies together remember. Its methods may be called
// concurrently; a nil Budget has no bound.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{}
	b.left.Store(bytes)
	return b
}

func (b *Budget) take(n int64) bool {
	if b == nil {
		return true
	}
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

func (b *Budget) give(n int64) {
	if b != nil {
		b.left.Add(n)
	}
}

// Body is the body of one request. New makes one.
type Body struct {
	source io.Reader
	limit  int
	budget *Budget
	forget atomic.Bool // Forget was called

	mu      sync.Mutex // guards the rest, and reading of source
	kept    []byte     // what was read of source, unless lost
	lost    bool       // more was read than may be kept
	end     error      // of source: io.EOF, or why it broke
	current *attempt
	held    int64 // taken from the budget
}

// New returns a body over source that remembers limit bytes at most, as far as
// the budget has them. size is the number of bytes that source has, or less than
// zero when nobody knows. The source is not closed.
func New(source io.Reader, size int64, limit int, budget *Budget) *Body {
	b := &Body{source: source, limit: limit, budget: budget}
	if size > 0 && size <= int64(limit) && b.hold(size) {
		b.kept = make([]byte, 0, size)
	}
	return b
}

// hold takes what is missing of n bytes from the budget.
func (b *Body) hold(n int64) bool {
	if n <= b.held {
		return true
	}
	if !b.budget.take(n - b.held) {
		return false
	}
	b.held = n
	return true
}

// Attempt returns the body from its beginning for one more attempt, and ends the
// one before: what is left of that reads ErrEnded. It waits for a Read that is
// under way. It returns false when more was read than is remembered.
func (b *Body) Attempt() (io.ReadCloser, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lost {
		return nil, false
	}
	b.current = &attempt{body: b}
	return b.current, true
}

// Again tells whether Attempt would return another one.
func (b *Body) Again() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.lost
}

// Forget gives back what is remembered: there will be no more attempts. The last
// one reads on. It waits for nobody: a Read that is under way forgets when it
// ends.
func (b *Body) Forget() {
	b.forget.Store(true)
	b.forgetNow()
}

// forgetNow forgets, unless a Read is under way.
func (b *Body) forgetNow() {
	if b.mu.TryLock() {
		b.drop()
		b.mu.Unlock()
	}
}

// drop forgets all but what the attempt has not read yet; the caller holds mu.
func (b *Body) drop() {
	if !b.lost && b.current != nil {
		b.current.rest = b.kept[b.current.at:]
	}
	b.lost, b.kept = true, nil
	b.budget.give(b.held)
	b.held = 0
}

// attempt reads what is remembered and then the source.
type attempt struct {
	body *Body
	at   int    // how much of what is kept was read
	rest []byte // when nothing is kept any more: what was, and is not read yet
}

// Read implements io.Reader.
func (a *attempt) Read(p []byte) (int, error) {
	n, err := a.read(p)
	if a.body.forget.Load() {
		a.body.forgetNow()
	}
	return n, err
}

func (a *attempt) read(p []byte) (int, error) {
	b := a.body
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.current != a:
		return 0, ErrEnded
	case len(a.rest) > 0:
		n := copy(p, a.rest)
		a.rest = a.rest[n:]
		return n, nil
	case !b.lost && a.at < len(b.kept):
		n := copy(p, b.kept[a.at:])
		a.at += n
		return n, nil
	case b.end != nil:
		return 0, b.end
	}
	n, err := b.source.Read(p)
	if !b.lost {
		if len(b.kept)+n <= b.limit && b.hold(int64(len(b.kept)+n)) {
			b.kept = append(b.kept, p[:n]...)
			a.at = len(b.kept)
		} else {
			a.at = len(b.kept)
			b.drop()
		}
	}
	b.end = err
	return n, err
}

// Close implements io.Closer. The source stays open for another attempt.
func (a *attempt) Close() error { return nil }
