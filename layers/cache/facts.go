package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	maxFacts = 64 << 20 // of the file; one that is larger is begun anew
	maxFact  = 1 << 20  // of one key with its fact
)

// Facts is a layers.Facts that is kept in one file, which is read when the
// first fact is asked for and appended to by Flush.
type Facts struct {
	path string
	once sync.Once

	mu    sync.Mutex        // guards the rest
	known map[string][]byte //
	fresh []byte            // records that are not in the file yet
}

// Fact returns what is remembered under key. The caller does not change it.
func (f *Facts) Fact(key string) ([]byte, bool) {
	f.once.Do(f.load)
	f.mu.Lock()
	defer f.mu.Unlock()
	fact, ok := f.known[key]
	return fact, ok
}

// Remember remembers a fact; the next process does after Flush.
func (f *Facts) Remember(key string, fact []byte) {
	f.once.Do(f.load)
	f.mu.Lock()
	defer f.mu.Unlock()
	if old, ok := f.known[key]; ok && bytes.Equal(old, fact) || len(key)+len(fact) > maxFact {
		return
	}
	f.known[key] = bytes.Clone(fact)
	f.fresh = appendRecord(f.fresh, key, fact)
}

// load reads the file as far as it makes sense.
func (f *Facts) load() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = map[string][]byte{}
	info, err := os.Stat(f.path)
	if err != nil || info.Size() > maxFacts {
		return
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return
	}
	for len(data) > 0 {
		key, fact, rest, ok := cutRecord(data)
		if !ok {
			return // cut short by a process that died, or damaged
		}
		f.known[key], data = fact, rest
	}
}

// Flush writes what is new to the file.
func (f *Facts) Flush() (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.fresh) == 0 {
		return nil
	}
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("write facts: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	// One process at a time; closing the file unlocks it.
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock facts: %w", err)
	}
	end, err := sound(file)
	if err != nil {
		return fmt.Errorf("read facts: %w", err)
	}
	if end+int64(len(f.fresh)) > maxFacts {
		end = 0
	}
	if err := file.Truncate(end); err != nil {
		return fmt.Errorf("write facts: %w", err)
	}
	if _, err := file.WriteAt(f.fresh, end); err != nil {
		return fmt.Errorf("write facts: %w", err)
	}
	f.fresh = nil
	return nil
}

// sound returns how much of the file is whole records.
func sound(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil || info.Size() > maxFacts {
		return 0, err
	}
	data := make([]byte, info.Size())
	if _, err := file.ReadAt(data, 0); err != nil && len(data) > 0 {
		if errors.Is(err, fs.ErrClosed) {
			return 0, err
		}
		return 0, nil
	}
	rest := data
	for len(rest) > 0 {
		_, _, next, ok := cutRecord(rest)
		if !ok {
			break
		}
		rest = next
	}
	return int64(len(data) - len(rest)), nil
}

// A record is a checksum of the rest, the lengths of key and fact, and both.
func appendRecord(to []byte, key string, fact []byte) []byte {
	at := len(to)
	to = append(to, 0, 0, 0, 0)
	to = binary.LittleEndian.AppendUint32(to, uint32(len(key)))
	to = binary.LittleEndian.AppendUint32(to, uint32(len(fact)))
	to = append(append(to, key...), fact...)
	binary.LittleEndian.PutUint32(to[at:], crc32.Checksum(to[at+4:], castagnoli))
	return to
}

func cutRecord(data []byte) (key string, fact, rest []byte, ok bool) {
	if len(data) < 12 {
		return "", nil, nil, false
	}
	k, n := int64(binary.LittleEndian.Uint32(data[4:])), int64(binary.LittleEndian.Uint32(data[8:]))
	end := 12 + k + n
	if k+n > maxFact || end > int64(len(data)) || crc32.Checksum(data[4:end], castagnoli) != binary.LittleEndian.Uint32(data) {
		return "", nil, nil, false
	}
	return string(data[12 : 12+k]), data[12+k : end : end], data[end:], true
}
