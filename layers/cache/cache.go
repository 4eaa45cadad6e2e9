// Package cache keeps files that can be made again in a directory of limited
// size, for several processes at once: a file appears complete or not at all,
// what was damaged on the disk is noticed and forgotten, and what was used least
// recently goes first. It does not know what is in the files.
package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrMiss says that something is not in the cache, or no longer as it was put
// there.
var ErrMiss = errors.New("not in the cache")

const (
	// DefaultLimit is how many bytes a cache may hold when nothing is said.
	DefaultLimit = 4 << 30
	// keepAtAll is how long a file stays after its last use, whatever the limit.
	keepAtAll = 10 * time.Minute
	// abandoned is when a file that was never finished is taken for one whose
	// process died: writing touches it.
	abandoned = time.Hour

	unfinished = ".new-" // how the names of unfinished files begin
	suffix     = ".blob"
)

// Cache is a directory. Several goroutines and processes may use it at once.
type Cache struct {
	dir   string
	limit int64
	facts Facts
}

// Open returns the cache in dir, which is made when it is not there. limit is
// in bytes; 0 means DefaultLimit.
func Open(dir string, limit int64) (*Cache, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make cache %s: %w", dir, err)
	}
	c := &Cache{dir: dir, limit: limit}
	c.facts.path = filepath.Join(dir, "facts")
	return c, nil
}

// Facts are what is remembered of contents by their keys.
func (c *Cache) Facts() *Facts { return &c.facts }

// path returns where the file of that name lies. A name is one word.
func (c *Cache) path(name string) string { return filepath.Join(c.dir, name+suffix) }

// Prune removes what was used least recently until the cache is small enough,
// and what processes that died have left.
func (c *Cache) Prune() error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("prune cache: %w", err)
	}
	var files []fs.FileInfo
	total := int64(0)
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // gone meanwhile, or not ours
		}
		switch {
		case strings.HasPrefix(entry.Name(), unfinished):
			if time.Since(info.ModTime()) > abandoned {
				err = c.remove(entry.Name())
			}
		case strings.HasSuffix(entry.Name(), suffix):
			files = append(files, info)
			total += info.Size()
		}
		if err != nil {
			return err
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, file := range files {
		if total <= c.limit || time.Since(file.ModTime()) < keepAtAll {
			break
		}
		// Whoever has it open can go on reading it.
		if err := c.remove(file.Name()); err != nil {
			return err
		}
		total -= file.Size()
	}
	return nil
}

func (c *Cache) remove(name string) error {
	if err := os.Remove(filepath.Join(c.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("prune cache: %w", err)
	}
	return nil
}
