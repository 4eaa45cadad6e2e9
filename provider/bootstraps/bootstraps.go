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
	"sync"
)

// The directory is named with all: because its .gitignore is the only file in
// it before the first build, and an embed pattern must match something.
//
//go:embed all:bin
var bin embed.FS

// ErrNotBuilt says that this program was compiled without the bootstraps.
var ErrNotBuilt = errors.New("bootstrap is missing from this build of faas-lambda: build it with `make build`")

// The programs are kept compressed, which halves the file that holds them. A
// bootstrap goes into every package and stays unpacked once it was asked for.
var unpacked = map[string]func() ([]byte, error){
	"amd64": sync.OnceValues(func() ([]byte, error) { return unpack("bootstrap", "amd64") }),
	"arm64": sync.OnceValues(func() ([]byte, error) { return unpack("bootstrap", "arm64") }),
}

// Binary returns the bootstrap for arch (amd64 or arm64), a static Linux
// program. The caller must not change it.
func Binary(arch string) ([]byte, error) {
	program, ok := unpacked[arch]
	if !ok {
		return nil, fmt.Errorf("find bootstrap: architecture %q is neither amd64 nor arm64", arch)
	}
	return program()
}

// Watchdog returns the program fwatchdog for arch (amd64 or arm64). It is needed
// only where images are built.
func Watchdog(arch string) ([]byte, error) { return unpack("fwatchdog", arch) }

func unpack(name, arch string) ([]byte, error) {
	packed, err := bin.ReadFile("bin/" + name + "-linux-" + arch + ".gz")
	if err != nil {
		return nil, fmt.Errorf("find %s for linux/%s: %w", name, arch, ErrNotBuilt)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack %s for linux/%s: %w", name, arch, err)
	}
	program, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("unpack %s for linux/%s: %w", name, arch, err)
	}
	return program, nil
}
