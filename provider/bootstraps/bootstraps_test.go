package bootstraps

import (
	"bytes"
	"errors"
	"testing"
)

func TestBinary(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		program, err := Binary(arch)
		if errors.Is(err, ErrNotBuilt) {
			continue // a checkout that was not built yet
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(program, []byte("\x7fELF")) {
			t.Errorf("bootstrap for %s is no ELF program", arch)
		}
	}
	if _, err := Binary("riscv64"); err == nil || errors.Is(err, ErrNotBuilt) {
		t.Errorf("Binary(riscv64) = %v, want an error that names the architecture", err)
	}
}

func TestWatchdog(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		program, err := Watchdog(arch)
		if errors.Is(err, ErrNotBuilt) {
			continue // a checkout that was not built yet
		}
		if err != nil || !bytes.HasPrefix(program, []byte("\x7fELF")) {
			t.Errorf("fwatchdog for %s is no ELF program: %v", arch, err)
		}
	}
}
