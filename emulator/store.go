package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// store keeps functions in a directory: functions/NAME.json, layers/HASH.json, code/SHA256.zip and, unpacked, code/SHA256 (of functions and layers
// alike). Everything appears by rename, so a program killed at any moment leaves the old or the new.
type store struct {
	dir       string
	temporary bool
	lock      *os.File
	unpacking keyedMutex
	pins      pins
}

func openStore(dir string) (*store, error) {
	st := &store{dir: dir}
	if dir == "" {
		made, err := os.MkdirTemp("", "faas-lambda-emulator-")
		if err != nil {
			return nil, fmt.Errorf("make data directory: %w", err)
		}
		st.dir, st.temporary = made, true
	}
	for _, sub := range []string{"functions", "code"} {
		if err := os.MkdirAll(filepath.Join(st.dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("make data directory: %w", err)
		}
	}
	absolute, err := filepath.Abs(st.dir)
	if err != nil {
		return nil, fmt.Errorf("find data directory: %w", err)
	}
	st.dir = absolute
	return st, st.acquire()
}

// acquire keeps two programs from using one directory; the kernel lets go of it when the program ends, however that happens.
func (st *store) acquire() error {
	lock, err := os.OpenFile(filepath.Join(st.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("lock data directory: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another program uses it")
		}
		return errors.Join(fmt.Errorf("lock data directory %s: %w", st.dir, err), lock.Close())
	}
	st.lock = lock
	return nil
}

// close unlocks in so many words: a process that is being started has the open
// file for a moment, and closing ours alone would leave the lock with it.
func (st *store) close() error {
	err := errors.Join(unix.Flock(int(st.lock.Fd()), unix.LOCK_UN), st.lock.Close())
	if st.temporary {
		err = errors.Join(err, os.RemoveAll(st.dir))
	}
	return err
}

// newPrefix begins the names of files that are not whole yet.
const newPrefix = ".new-"

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
	stale, err := filepath.Glob(filepath.Join(st.dir, "*", newPrefix+"*"))
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
	return writeFile(st.record(f.Config.FunctionName), data, !st.temporary)
}

func (st *store) remove(name string) error {
	if err := os.Remove(st.record(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove function: %w", err)
	}
	if st.temporary {
		return nil
	}
	return syncDir(filepath.Join(st.dir, "functions"))
}

func (st *store) record(name string) string { return filepath.Join(st.dir, "functions", name+".json") }

// writeFile makes path hold data, whole, or changes nothing; durable, it survives the machine's end.
func writeFile(path string, data []byte, durable bool) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), newPrefix)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if _, err = f.Write(data); durable {
		err = errors.Join(err, f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	if !durable {
		return nil
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
