package emulator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// directory is where everything is kept. One program at a time has it.
type directory struct {
	path      string
	temporary bool // and removed by close
	lock      *os.File
}

// openDirectory makes the directory if need be, or a temporary one where none is named.
func openDirectory(path string) (*directory, error) {
	d := &directory{temporary: path == ""}
	var err error
	if d.temporary {
		d.path, err = os.MkdirTemp("", "faas-lambda-emulator-")
	} else if err = os.MkdirAll(path, 0o755); err == nil {
		d.path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if err := d.acquire(); err != nil {
		return nil, err
	}
	return d, nil
}

// acquire keeps two programs from using one directory; the kernel lets go of it when the program ends, however that happens.
func (d *directory) acquire() error {
	lock, err := os.OpenFile(d.below("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("lock data directory: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another program uses it")
		}
		return errors.Join(fmt.Errorf("lock data directory %s: %w", d.path, err), lock.Close())
	}
	d.lock = lock
	return nil
}

// below is the path of what is in the directory.
func (d *directory) below(name string) string { return filepath.Join(d.path, name) }

// close unlocks in so many words: a process that is being started has the open file for a moment, and closing ours alone would leave the lock with
// it.
func (d *directory) close() error {
	err := errors.Join(unix.Flock(int(d.lock.Fd()), unix.LOCK_UN), d.lock.Close())
	if d.temporary {
		err = errors.Join(err, os.RemoveAll(d.path))
	}
	return err
}
