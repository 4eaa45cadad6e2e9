package payload

import (
	"context"

	"golang.org/x/sync/semaphore"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

const (
	// smallBody is what a request may hold without asking, in bytes.
	smallBody = 64 << 10
	// largestBody is what one request holds of a body at most: as it came, in
	// gzip, in the event, and what parking it holds.
	largestBody = 2*maxPayload + MaxParking
	// defaultMemory is how much bodies may take when nothing is said, in bytes.
	defaultMemory = 256 << 20
)

// budget is the memory for bodies that are being sent.
type budget struct {
	bytes *semaphore.Weighted
	size  int64
}

func newBudget(size int64) budget {
	if size <= 0 {
		size = defaultMemory
	}
	return budget{semaphore.NewWeighted(size), size}
}

// reserve waits until there is memory for a body of length bytes, -1 for one
// that is not known, and returns how to give it back.
func (b budget) reserve(ctx context.Context, length int64) (free func(), err error) {
	if length >= 0 && length <= smallBody {
		return func() {}, nil
	}
	need := int64(largestBody)
	if length > 0 && length <= maxPayload/2 {
		need = length * 7 / 3 // as it came and in base64
	}
	need = min(need, b.size)
	if err := b.bytes.Acquire(ctx, need); err != nil {
		return nil, backend.Errorf(backend.ErrUnavailable, "wait for memory for the request's body: %w", err)
	}
	return func() { b.bytes.Release(need) }, nil
}
