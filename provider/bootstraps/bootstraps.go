// Package bootstraps holds the bootstrap programs that go into packages, one
// for each processor that Lambda offers, and the watchdogs that go into images. `make build` puts them into bin before
// it compiles the program; nothing is built or downloaded at run time.
package bootstraps

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// The directory is named with all: because its .gitignore is the only file in
// it before the first build, and an embed pattern must match something.
//
//go:embed all:bin
var bin embed.FS

// ErrNotBuilt says that this program was compiled without the bootstraps.
var ErrNotBuilt = errors.New("bootstrap is missing from this build of faas-lambda: build it with `make build`")

// Binary returns the bootstrap for arch (amd64 or arm64), a static Linux
// program. The caller must not change it.
func Binary(arch string) ([]byte, error) {
	if arch != "amd64" && arch != "arm64" {
		return nil, fmt.Errorf("find bootstrap: architecture %q is neither amd64 nor arm64", arch)
	}
	program, err := bin.ReadFile("bin/bootstrap-linux-" + arch)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("find bootstrap for linux/%s: %w", arch, ErrNotBuilt)
	}
	return program, err
}

// Watchdog returns the program fwatchdog for arch (amd64 or arm64). It is needed
// only where images are built, and is kept compressed.
func Watchdog(arch string) ([]byte, error) {
	packed, err := bin.ReadFile("bin/fwatchdog-linux-" + arch + ".gz")
	if err != nil {
		return nil, fmt.Errorf("find fwatchdog for linux/%s: %w", arch, ErrNotBuilt)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack fwatchdog: %w", err)
	}
	program, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("unpack fwatchdog: %w", err)
	}
	return program, nil
}
