package watchdog

import (
	"context"
	"net/http"
	"path/filepath"
)

// static is static mode: the files of a directory.
type static struct{ http.Handler }

// newStatic serves dir; one that lies only under root is taken there.
func newStatic(dir, root string) static {
	if !exists(dir) && exists(filepath.Join(root, dir)) {
		dir = filepath.Join(root, dir)
	}
	return static{http.FileServer(http.Dir(dir))}
}

func (static) start(context.Context) error { return nil }
func (static) done() <-chan struct{}       { return nil }
func (static) close(context.Context) error { return nil }
