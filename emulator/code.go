package emulator

import (
	"bytes"
	"crypto/sha256"
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

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// maxZip is the largest zip that may come in the request itself.
const maxZip = 52_428_800

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

func zipHash(zip []byte) string {
	sum := sha256.Sum256(zip)
	return hex.EncodeToString(sum[:])
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
func (st *store) codeDir(hash string) string { return filepath.Join(st.dir, "code", hash) }

// putZip stores the zip and returns its hash.
func (st *store) putZip(zip []byte) (string, error) {
	hash := zipHash(zip)
	if _, err := os.Stat(st.zipPath(hash)); err == nil {
		return hash, nil
	}
	return hash, writeFile(st.zipPath(hash), zip)
}

// unpacked returns the directory with the zip's files, unpacking it if need be.
func (st *store) unpacked(hash string) (string, error) {
	defer st.unpacking.lock(hash)()
	dir := st.codeDir(hash)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	zip, err := os.Open(st.zipPath(hash))
	if err != nil {
		return "", fmt.Errorf("open code: %w", err)
	}
	info, err := zip.Stat()
	if err != nil {
		return "", errors.Join(fmt.Errorf("open code: %w", err), zip.Close())
	}
	half, err := os.MkdirTemp(filepath.Join(st.dir, "code"), newPrefix)
	if err != nil {
		return "", errors.Join(fmt.Errorf("unpack code: %w", err), zip.Close())
	}
	err = errors.Join(sandbox.Unpack(zip, info.Size(), half), os.Chmod(half, 0o755), zip.Close())
	if err == nil {
		err = os.Rename(half, dir)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("unpack code: %w", err), os.RemoveAll(half))
	}
	return dir, nil
}

// sweepCode removes code that no function has and no sandbox runs. It must not run while a request is between putZip and its function.
func (s *Server) sweepCode() {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := s.fleet.code()
	for _, f := range s.functions {
		for _, v := range f.versions() {
			use(used, &v.code)
			if v.Live != nil {
				use(used, &v.Live.code)
			}
		}
	}
	if err := s.store.sweep(used); err != nil {
		s.opts.Logger.Warn("old code was not removed", "error", err)
	}
}

func use(used map[string]bool, c *code) {
	for _, hash := range c.hashes() {
		used[hash] = true
	}
}

// prepare unpacks all that the code needs.
func (st *store) prepare(c *code) error {
	for _, hash := range c.hashes() {
		if _, err := st.unpacked(hash); err != nil {
			return err
		}
	}
	return nil
}

func (st *store) sweep(used map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(st.dir, "code"))
	if err != nil {
		return fmt.Errorf("list code: %w", err)
	}
	for _, entry := range entries {
		hash := strings.TrimSuffix(entry.Name(), ".zip")
		if used[hash] || strings.HasPrefix(hash, newPrefix) {
			continue
		}
		if removeErr := os.RemoveAll(filepath.Join(st.dir, "code", entry.Name())); removeErr != nil {
			err = errors.Join(err, removeErr)
		}
	}
	return err
}

// takeCode checks a request's code and returns its zip.
func (s *Server) takeCode(code *codeSource) ([]byte, error) {
	zip := code.ZipFile
	switch {
	case code.ImageUri != "":
		return nil, invalidParameter("The emulator runs functions of package type Zip only.")
	case code.S3Bucket != "":
		var err error
		if zip, err = s.fetch(code); err != nil {
			return nil, err
		}
	case zip == nil:
		return nil, invalidParameter("Please provide a source for function code.")
	case len(zip) > maxZip:
		return nil, tooLarge("Zipped size must be smaller than %d bytes", maxZip)
	}
	if len(zip) == 0 {
		return nil, invalidParameter("Uploaded file must be a non-empty zip")
	}
	return zip, checkZip(zip)
}

// fetch reads code from S3. What unpacks to less than the limit is not packed to more, so a larger object is refused unread.
func (s *Server) fetch(code *codeSource) (zip []byte, err error) {
	object, size, err := s.hooks.objects.Open(code.S3Bucket, code.S3Key, code.S3ObjectVersion)
	if err != nil {
		return nil, objectError(err)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	if size >= sandbox.MaxUnpacked {
		return nil, invalidParameter("Unzipped size must be smaller than %d bytes", sandbox.MaxUnpacked)
	}
	zip = make([]byte, size)
	if _, err := io.ReadFull(object, zip); err != nil {
		return nil, fmt.Errorf("read s3 object %s/%s: %w", code.S3Bucket, code.S3Key, err)
	}
	return zip, nil
}

// objectError words S3's refusal as Lambda passes it on; the words for bucket and key are recorded from the real service.
func objectError(err error) error {
	const refusal = "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s"
	switch {
	case errors.Is(err, errNoBucket):
		return invalidParameter(refusal, "NoSuchBucket", "The specified bucket does not exist")
	case errors.Is(err, errNoKey):
		return invalidParameter(refusal, "NoSuchKey", "The specified key does not exist.")
	case errors.Is(err, errNoVersion):
		return invalidParameter(refusal, "NoSuchVersion", "The specified version does not exist.")
	}
	return fmt.Errorf("open s3 object: %w", err)
}

func checkZip(zip []byte) error {
	err := sandbox.CheckZip(bytes.NewReader(zip), int64(len(zip)))
	switch {
	case errors.Is(err, sandbox.ErrTooLarge):
		return invalidParameter("Unzipped size must be smaller than %d bytes", sandbox.MaxUnpacked)
	case err != nil:
		return invalidParameter("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	return nil
}

func (s *Server) downloadCode(w http.ResponseWriter, r *http.Request, target string) error {
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
