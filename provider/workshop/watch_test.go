package workshop

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWatchTellsWhatChanged(t *testing.T) {
	dir := writeAll(t, map[string]string{"a/x.txt": "1", "b/x.txt": "1"})
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	ctx, stop := context.WithCancel(t.Context())
	changes, ended := make(chan []string), make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		close(ready)
		ended <- Watch(ctx, []string{a, b}, func(folders []string) { changes <- folders })
	}()
	<-ready
	// The first write may come before the watch does.
	write := func(name string) func() {
		return func() {
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte("2"), 0o600)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, c := range []struct {
		name string
		do   func()
		want string
	}{
		{"a file", write(filepath.Join(a, "x.txt")), a},
		{"a file in a new folder", write(filepath.Join(b, "new", "y.txt")), b},
		{"a removed file", func() {
			if err := os.Remove(filepath.Join(a, "x.txt")); err != nil {
				t.Error(err)
			}
		}, a},
	} {
		if c.name == "a file" {
			eventually(t, c.do, changes, c.want)
			continue
		}
		c.do()
		if got := <-changes; !slices.Contains(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// eventually repeats do until it is seen.
func eventually(t *testing.T, do func(), changes <-chan []string, want string) {
	t.Helper()
	for {
		do()
		select {
		case got := <-changes:
			if !slices.Contains(got, want) {
				t.Errorf("%v, want %s", got, want)
			}
			return
		default:
		}
	}
}

func TestWatchFailsForAFolderThatIsNotThere(t *testing.T) {
	if err := Watch(t.Context(), []string{"/nowhere"}, nil); err == nil {
		t.Error("no error")
	}
}
