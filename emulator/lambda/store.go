package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
)

// store keeps functions in a directory: functions/NAME.json, layers/HASH.json, code/SHA256.zip and, unpacked, code/SHA256 (of functions and layers
// alike). Everything appears by rename, so a program killed at any moment leaves the old or the new.
type store struct {
	dir       string
	temporary bool
	unpacking keyedMutex
	pins      pins
}

func openStore(dir string, temporary bool) (*store, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find data directory: %w", err)
	}
	for _, sub := range []string{"functions", "code"} {
		if err := os.MkdirAll(filepath.Join(absolute, sub), 0o755); err != nil {
			return nil, fmt.Errorf("make data directory: %w", err)
		}
	}
	return &store{dir: absolute, temporary: temporary}, nil
}

// load reads every function and removes what a killed program left half-written.
func (st *store) load() (map[string]*function, error) {
	functions := map[string]*function{}
	if err := st.removeNew(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(st.dir, "functions"))
	if err != nil {
		return nil, fmt.Errorf("list functions: %w", err)
	}
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".json")
		if !ok {
			continue
		}
		data, err := os.ReadFile(st.record(name))
		if err != nil {
			return nil, fmt.Errorf("read function %s: %w", name, err)
		}
		var f function
		if err := json.Unmarshal(data, &f); err != nil {
			return nil, fmt.Errorf("read function %s: %w", name, err)
		}
		functions[name] = &f
	}
	return functions, nil
}

func (st *store) removeNew() error {
	stale, err := filepath.Glob(filepath.Join(st.dir, "*", keep.NewPrefix+"*"))
	if err != nil {
		return fmt.Errorf("list stale files: %w", err)
	}
	for _, path := range stale {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove stale file: %w", err)
		}
	}
	return nil
}

func (st *store) save(f *function) error {
	data, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return fmt.Errorf("encode function: %w", err)
	}
	return keep.WriteFile(st.record(f.Config.FunctionName), data, !st.temporary)
}

func (st *store) remove(name string) error {
	if err := os.Remove(st.record(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove function: %w", err)
	}
	if st.temporary {
		return nil
	}
	return keep.SyncDir(filepath.Join(st.dir, "functions"))
}

func (st *store) record(name string) string { return filepath.Join(st.dir, "functions", name+".json") }
