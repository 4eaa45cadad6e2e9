package keep

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

// Documents keeps things by name, each in a file of its own, which appears by rename. The file's name is a hash: names may hold slashes and be long.
type Documents[T any] struct {
	sync.Mutex // guards All and the files; what All points to is replaced, never changed in place

	All map[string]*T
	// Volatile says that what is put need not survive the machine's end, only the program's.
	Volatile bool

	dir string
}

// OpenDocuments reads what dir holds. name tells the name of a thing.
func OpenDocuments[T any](dir string, name func(*T) string) (*Documents[T], error) {
	d := &Documents[T]{dir: dir, All: map[string]*T{}}
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
		d.All[name(&v)] = &v
	}
	return d, nil
}

func (d *Documents[T]) path(name string) string {
	hash := sha256.Sum256([]byte(name))
	return filepath.Join(d.dir, hex.EncodeToString(hash[:])+".json")
}

// Put keeps v under name. The caller holds the lock.
func (d *Documents[T]) Put(name string, v *T) error {
	data, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return fmt.Errorf("encode document: %w", err)
	}
	if err := WriteFile(d.path(name), data, !d.Volatile); err != nil {
		return err
	}
	d.All[name] = v
	return nil
}

// Remove forgets name. The caller holds the lock.
func (d *Documents[T]) Remove(name string) error {
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove document: %w", err)
	}
	delete(d.All, name)
	if d.Volatile {
		return nil
	}
	return SyncDir(d.dir)
}
