package federation

import "sync/atomic"

// flight counts the invocations of a function at a child.
type flight struct {
	n       atomic.Int64
	waiting atomic.Pointer[chan struct{}]
}

func (f *flight) begin() { f.n.Add(1) }

func (f *flight) end() {
	if f.n.Add(-1) == 0 {
		if w := f.waiting.Swap(nil); w != nil {
			close(*w)
		}
	}
}

// drained returns a channel that is closed when no invocation is under way.
func (f *flight) drained() <-chan struct{} {
	w := make(chan struct{})
	f.waiting.Store(&w)
	if f.n.Load() == 0 {
		if f.waiting.Swap(nil) != nil {
			close(w)
		}
	}
	return w
}
