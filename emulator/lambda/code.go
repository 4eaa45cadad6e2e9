package lambda

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// keyedMutex keeps goroutines with the same key apart.
type keyedMutex struct {
	mu    sync.Mutex // guards locks
	locks map[string]*sync.Mutex
}

func (k *keyedMutex) lock(key string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*sync.Mutex{}
	}
	l := k.locks[key]
	if l == nil {
		l = &sync.Mutex{}
		k.locks[key] = l
	}
	k.mu.Unlock()
	l.Lock()
	return l.Unlock
}

// codeSha256 is the hash as the API tells it.
func codeSha256(hash string) string {
	sum, err := hex.DecodeString(hash)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(sum)
}

func (st *store) zipPath(hash string) string { return filepath.Join(st.dir, "code", hash+".zip") }

// unpacked returns the directory with the zip's files, unpacking it if need be.
func (st *store) unpacked(hash string) (string, error) {
	return st.make(hash, func(dir string) error {
		zip, err := os.Open(st.zipPath(hash))
		if err != nil {
			return fmt.Errorf("open code: %w", err)
		}
		defer zip.Close()
		info, err := zip.Stat()
		if err != nil {
			return fmt.Errorf("open code: %w", err)
		}
		if err := sandbox.Unpack(zip, info.Size(), dir); err != nil {
			return fmt.Errorf("unpack code: %w", err)
		}
		return nil
	})
}

// make returns a directory of unpacked code, which fill writes unless it is there.
func (st *store) make(name string, fill func(dir string) error) (string, error) {
	defer st.unpacking.lock(name)()
	dir := filepath.Join(st.dir, "code", name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	half, err := os.MkdirTemp(filepath.Join(st.dir, "code"), keep.NewPrefix)
	if err != nil {
		return "", fmt.Errorf("unpack code: %w", err)
	}
	if err = errors.Join(fill(half), os.Chmod(half, 0o755)); err == nil {
		err = os.Rename(half, dir)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(half))
	}
	return dir, nil
}

func (s *Service) downloadCode(w http.ResponseWriter, r *http.Request, target string) error {
	hash, ok := strings.CutSuffix(target, ".zip")
	if _, err := hex.DecodeString(hash); !ok || err != nil {
		return unknownOperation(r)
	}
	f, err := os.Open(s.store.zipPath(hash))
	if errors.Is(err, fs.ErrNotExist) {
		return notFound("There is no code with hash %s.", hash)
	}
	if err != nil {
		return fmt.Errorf("open code: %w", err)
	}
	w.Header().Set("Content-Type", "application/zip")
	_, _ = io.Copy(w, f) // the client is gone
	return f.Close()
}
