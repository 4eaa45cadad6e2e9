package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// lockPath is the file that exec health checks look for.
func lockPath() string { return filepath.Join(os.TempDir(), ".lock") }

func lockPresent() bool {
	_, err := os.Stat(lockPath())
	return err == nil
}

func writeLock() error {
	err := os.MkdirAll(os.TempDir(), 0o777)
	if err == nil {
		err = os.WriteFile(lockPath(), nil, 0o660)
	}
	if err != nil {
		return fmt.Errorf("write lock file (suppress_lock=true goes without): %w", err)
	}
	return nil
}

func removeLock() error {
	if err := os.Remove(lockPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove lock file: %w", err)
	}
	return nil
}
