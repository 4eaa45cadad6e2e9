package workshop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long nothing must change until a change counts: an editor writes
// a file in several steps.
const quiet = 30 * time.Millisecond

// Watch calls changed with all paths, files and folders, once it watches them, and
// then with those in which something was changed, made or removed, until ctx ends.
// What changes while changed runs is told afterwards.
func Watch(ctx context.Context, paths []string, changed func(paths []string)) (err error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch folders: %w", err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := addPaths(w, paths); err != nil {
		return err
	}
	changed(paths)
	dirty := map[string]bool{}
	timer := time.NewTimer(quiet)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case e := <-w.Events:
			if e.Op == fsnotify.Chmod || ignored(e.Name) {
				continue
			}
			for _, path := range paths {
				if within(path, e.Name) {
					dirty[path] = true
					timer.Reset(quiet)
				}
			}
			if e.Has(fsnotify.Create) && len(dirty) > 0 {
				// It may be a folder, and may be gone again.
				if err := addAll(w, e.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("watch %s: %w", e.Name, err)
				}
			}
		case err := <-w.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch folders: %w", err)
			}
			// More has changed than could be told.
			if err := addPaths(w, paths); err != nil {
				return err
			}
			for _, path := range paths {
				dirty[path] = true
			}
			timer.Reset(quiet)
		case <-timer.C:
			now := slices.Sorted(maps.Keys(dirty))
			clear(dirty)
			changed(now)
		case <-ctx.Done():
			return nil
		}
	}
}

// addPaths watches files and folders by the folders that they are in, since another
// may take the place of each, and what is in folders.
func addPaths(w *fsnotify.Watcher, paths []string) error {
	for _, path := range paths {
		if err := errors.Join(w.Add(filepath.Dir(path)), addAll(w, path)); err != nil {
			return fmt.Errorf("watch %s: %w", path, err)
		}
	}
	return nil
}

// addAll watches a folder, or the one that a link leads to, and those in it. A
// file is none.
func addAll(w *fsnotify.Watcher, dir string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return err
	}
	root := dir + string(filepath.Separator) // leads through a link
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case name != root && ignored(name):
			return filepath.SkipDir
		}
		return w.Add(name)
	})
}

// ignored tells the files that no build looks at: those of other tools, and what
// editors write beside a file.
func ignored(name string) bool {
	base := filepath.Base(name)
	return skipped(name) || strings.HasSuffix(base, "~") || strings.HasSuffix(base, ".swp") || strings.HasPrefix(base, ".#") || base == "4913"
}

func within(dir, name string) bool {
	return name == dir || strings.HasPrefix(name, dir+string(filepath.Separator))
}
