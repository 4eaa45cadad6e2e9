package emulator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// documents keeps things by name, each in a file of its own, which appears by rename. The file's name is a hash: names may hold slashes and be long.
type documents[T any] struct {
	dir string

	mu  sync.Mutex // guards all and the files; what all points to is replaced, never changed in place
	all map[string]*T
}

// openDocuments reads what dir holds. name tells the name of a thing.
func openDocuments[T any](dir string, name func(*T) string) (*documents[T], error) {
	d := &documents[T]{dir: dir, all: map[string]*T{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list data directory: %w", err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read document: %w", err)
		}
		var v T
		if err := json.Unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("read document %s: %w", entry.Name(), err)
		}
		d.all[name(&v)] = &v
	}
	return d, nil
}

func (d *documents[T]) path(name string) string {
	hash := sha256.Sum256([]byte(name))
	return filepath.Join(d.dir, hex.EncodeToString(hash[:])+".json")
}

// put keeps v under name. The caller holds mu.
func (d *documents[T]) put(name string, v *T) error {
	data, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return fmt.Errorf("encode document: %w", err)
	}
	if err := writeFile(d.path(name), data, true); err != nil {
		return err
	}
	d.all[name] = v
	return nil
}

// remove forgets name. The caller holds mu.
func (d *documents[T]) remove(name string) error {
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove document: %w", err)
	}
	delete(d.all, name)
	return syncDir(d.dir)
}
