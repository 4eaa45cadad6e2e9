// Package lambdatest is what the tests of functions in the embedded AWS have in common: the test runtime as code, and a client of Lambda that waits.
package lambdatest

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Program is the test runtime of the sandbox package, compiled. Build sets it.
var Program []byte

// Extension is the external extension of the sandbox package, compiled. Build sets it.
var Extension []byte

// Build compiles both, for TestMain.
func Build() error {
	dir, err := os.MkdirTemp("", "lambdatest-")
	if err != nil {
		return fmt.Errorf("build test programs: %w", err)
	}
	defer os.RemoveAll(dir)
	for name, into := range map[string]*[]byte{"runtime": &Program, "extension": &Extension} {
		path := filepath.Join(dir, name)
		build := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "github.com/faas-lambda/faas-lambda/emulator/sandbox/testdata/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build test programs: %w\n%s", err, out)
		}
		if *into, err = os.ReadFile(path); err != nil {
			return fmt.Errorf("build test programs: %w", err)
		}
	}
	return nil
}

// Zip packs files; names that end in / are directories.
func Zip(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, data := range files {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(0o755)
		if strings.HasSuffix(name, "/") {
			header.SetMode(fs.ModeDir | 0o755)
		}
		f, err := w.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Packed is the test runtime as a function's code.
var Packed = sync.OnceValue(func() []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Store} // under the race detector inflating takes longer than a test
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err == nil {
		_, err = f.Write(Program)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return nil
	}
	return out.Bytes()
})
