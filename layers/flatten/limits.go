package flatten

import (
	"fmt"
	"sync/atomic"
)

// Limits bound what one image may make this program read and remember. A zero
// field means its default.
type Limits struct {
	Entries int64 // entries of all layers together; 500,000
	Bytes   int64 // uncompressed bytes of all layers together; 10 GiB, Lambda's limit for a container image
}

const (
	defaultEntries = 500_000
	defaultBytes   = 10 << 30
	maxPath        = 4096 // Linux's PATH_MAX
	maxName        = 255  // Linux's NAME_MAX
	maxSteps       = 1024 // directories and links passed on the way to one entry
)

// budget counts what the layers of one image have used of its limits.
type budget struct {
	limits  Limits
	entries atomic.Int64
	bytes   atomic.Int64 // of tars
	content atomic.Int64 // of files, which a sparse file's holes make larger than its tar
}

func newBudget(l Limits) *budget {
	if l.Entries == 0 {
		l.Entries = defaultEntries
	}
	if l.Bytes == 0 {
		l.Bytes = defaultBytes
	}
	return &budget{limits: l}
}

// usage is what one layer takes of a budget.
type usage struct{ entries, bytes, content int64 }

// take takes what a layer used when it was read.
func (b *budget) take(u usage) error {
	switch {
	case b.entries.Add(u.entries) > b.limits.Entries:
		return b.tooMany()
	case b.bytes.Add(u.bytes) > b.limits.Bytes:
		return b.tooLarge()
	case b.content.Add(u.content) > b.limits.Bytes:
		return b.declaredTooMuch(u.content)
	}
	return nil
}

func (b *budget) entry(u *usage) error {
	u.entries++
	if b.entries.Add(1) > b.limits.Entries {
		return b.tooMany()
	}
	return nil
}

func (b *budget) read(u *usage, n int64) error {
	u.bytes += n
	if b.bytes.Add(n) > b.limits.Bytes {
		return b.tooLarge()
	}
	return nil
}

// declare takes the size in a file's header before any of it is read.
func (b *budget) declare(u *usage, size int64) error {
	if size > b.limits.Bytes || b.content.Add(size) > b.limits.Bytes {
		return b.declaredTooMuch(size)
	}
	u.content += size
	return nil
}

func (b *budget) tooMany() error {
	return fmt.Errorf("%w: more than %d entries", ErrLimit, b.limits.Entries)
}

func (b *budget) tooLarge() error {
	return fmt.Errorf("%w: more than %d bytes uncompressed", ErrLimit, b.limits.Bytes)
}

func (b *budget) declaredTooMuch(size int64) error {
	return fmt.Errorf("%w: %d bytes declared, more than %d bytes uncompressed in all", ErrLimit, size, b.limits.Bytes)
}
