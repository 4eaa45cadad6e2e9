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
	dir := writeAll(t, map[string]string{"a/x.txt": "1", "real/x.txt": "1", "c/stack.yaml": "1"})
	a, b, file := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c", "stack.yaml")
	if err := os.Symlink("real", b); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	changes, ended := make(chan []string), make(chan error, 1)
	called := make(chan struct{}, 100)
	go func() {
		ended <- Watch(ctx, []string{a, b, file}, func(folders []string) {
			called <- struct{}{}
			select {
			case changes <- folders:
			case <-ctx.Done(): // the last change was told in two parts
			}
		})
	}()
	write := func(name string) func() {
		return func() {
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte("2"), 0o600)); err != nil {
				t.Error(err)
			}
		}
	}
	// The first call is under way: changes that are made meanwhile count.
	<-called
	write(filepath.Join(b, "early.txt"))()
	if got := <-changes; !slices.Equal(got, []string{a, b, file}) {
		t.Errorf("at first %v", got)
	}
	if got := <-changes; !slices.Equal(got, []string{b}) {
		t.Errorf("early: %v", got)
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
		{"a folder that another one takes the place of", func() {
			if err := os.RemoveAll(a); err != nil {
				t.Error(err)
			}
			write(filepath.Join(a, "x.txt"))()
		}, a},
		{"a file in that folder", write(filepath.Join(a, "x.txt")), a},
		{"a file that another one takes the place of", func() {
			write(file + ".new")()
			if err := os.Rename(file+".new", file); err != nil {
				t.Error(err)
			}
		}, file},
	} {
		c.do()
		for !slices.Contains(<-changes, c.want) { // a busy machine tells one change in two parts
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWatchFailsForAFolderThatIsNotThere(t *testing.T) {
	if err := Watch(t.Context(), []string{"/nowhere"}, nil); err == nil {
		t.Error("no error")
	}
}
