package aws

import (
	"sync"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// busy are the functions that this process is changing.
type busy struct {
	mu    sync.Mutex // guards names
	names map[backend.Name]bool
}

// take reserves a function for one change; the second at a time is refused.
func (b *busy) take(name backend.Name) (release func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.names[name] {
		return nil, backend.Errorf(backend.ErrConflict, "function %s is being changed by another request", name)
	}
	if b.names == nil {
		b.names = map[backend.Name]bool{}
	}
	b.names[name] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.names, name)
	}, nil
}
