package workshop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long nothing must change until a change counts: an editor writes
// a file in several steps.
const quiet = 30 * time.Millisecond

// Watch calls changed with all folders once it watches them, and then with those
// in which files were changed, made or removed, until ctx ends. What changes
// while changed runs is told afterwards.
func Watch(ctx context.Context, folders []string, changed func(folders []string)) (err error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch folders: %w", err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	for _, dir := range folders {
		if err := addAll(w, dir); err != nil {
			return fmt.Errorf("watch %s: %w", dir, err)
		}
	}
	changed(folders)
	var dirty []string
	timer := time.NewTimer(quiet)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case e, ok := <-w.Events:
			if !ok {
				return nil
			}
			if e.Op == fsnotify.Chmod || ignored(e.Name) {
				continue
			}
			if e.Has(fsnotify.Create) {
				// It may be a folder, and may be gone again.
				if err := addAll(w, e.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("watch %s: %w", e.Name, err)
				}
			}
			if i := slices.IndexFunc(folders, func(dir string) bool { return within(dir, e.Name) }); i >= 0 && !slices.Contains(dirty, folders[i]) {
				dirty = append(dirty, folders[i])
			}
			timer.Reset(quiet)
		case err := <-w.Errors:
			return fmt.Errorf("watch folders: %w", err)
		case <-timer.C:
			if len(dirty) > 0 {
				changed(dirty)
			}
			dirty = nil
		case <-ctx.Done():
			return nil
		}
	}
}

// addAll watches a folder and those in it.
func addAll(w *fsnotify.Watcher, dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case name != dir && ignored(name):
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
