package lambda

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/faas-lambda/faas-lambda/emulator/image"
	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// maxZip is the largest zip that may come in the request itself.
const maxZip = 52_428_800

// parcel is code, already in the store, on its way from a request to a function or layer. It is not swept before release.
type parcel struct {
	hash     string // SHA-256 in hex; empty for an image
	size     int64
	unpacked int64
	image    image.Resolved
	uri      string // of the image, as it was asked for
	release  func()
}

// pins keep code that nothing has yet from being swept.
type pins struct {
	mu    sync.Mutex // guards count, and that code is not removed between being looked for and being pinned
	count map[string]int
}

// pin keeps the hash until unpin. place, which puts its zip in place, runs under mu.
func (p *pins) pin(hash string, place func() error) (unpin func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := place(); err != nil {
		return nil, err
	}
	if p.count == nil {
		p.count = map[string]int{}
	}
	p.count[hash]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.count[hash]--; p.count[hash] == 0 {
			delete(p.count, hash)
		}
	}, nil
}

// add takes a zip into the store. An error of its content wraps sandbox.ErrBadZip or sandbox.ErrTooLarge.
func (st *store) add(r io.Reader) (_ *parcel, err error) {
	f, err := os.CreateTemp(filepath.Join(st.dir, "code"), keep.NewPrefix)
	if err != nil {
		return nil, fmt.Errorf("store code: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.RemoveAll(f.Name())) }()
	hash := sha256.New()
	p := &parcel{}
	if p.size, err = io.Copy(f, io.TeeReader(r, hash)); err != nil {
		return nil, fmt.Errorf("store code: %w", err)
	}
	if p.unpacked, err = sandbox.CheckZip(f, p.size); err != nil {
		return nil, err
	}
	p.hash = hex.EncodeToString(hash.Sum(nil))
	p.release, err = st.pins.pin(p.hash, func() error { return st.place(f, st.zipPath(p.hash)) })
	if err != nil {
		return nil, err
	}
	return p, nil
}

// place gives a new file its name, unless there is one already.
func (st *store) place(f *os.File, path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if st.temporary { // nothing of it survives this program anyhow
		return os.Rename(f.Name(), path)
	}
	if err := errors.Join(f.Sync(), os.Rename(f.Name(), path)); err != nil {
		return fmt.Errorf("store code: %w", err)
	}
	return keep.SyncDir(filepath.Dir(path))
}

// takeCode checks a request's code and takes it into the store; an image is only looked up. The caller must release the parcel.
func (s *Service) takeCode(ctx context.Context, code *codeSource) (*parcel, error) {
	switch {
	case code.ImageUri != "":
		return s.resolve(ctx, code.ImageUri)
	case code.S3Bucket != "":
		return s.fetch(code)
	case code.ZipFile == nil:
		return nil, invalidParameter("Please provide a source for function code.")
	case len(code.ZipFile) > maxZip:
		return nil, tooLarge("Zipped size must be smaller than %d bytes", maxZip)
	}
	return s.takeZip(bytes.NewReader(code.ZipFile), int64(len(code.ZipFile)))
}

func (s *Service) takeZip(r io.Reader, size int64) (*parcel, error) {
	if size == 0 {
		return nil, invalidParameter("Uploaded file must be a non-empty zip")
	}
	p, err := s.store.add(r)
	switch {
	case errors.Is(err, sandbox.ErrTooLarge):
		return nil, invalidParameter("Unzipped size must be smaller than %d bytes", sandbox.MaxUnpacked)
	case errors.Is(err, sandbox.ErrBadZip):
		return nil, invalidParameter("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	return p, err
}

// fetch reads code from S3. What unpacks to less than the limit is not packed to more, so a larger object is refused unread.
func (s *Service) fetch(code *codeSource) (_ *parcel, err error) {
	object, size, err := s.services.Objects.Open(code.S3Bucket, code.S3Key, code.S3ObjectVersion)
	if err != nil {
		return nil, objectError(err)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	if size >= sandbox.MaxUnpacked {
		return nil, invalidParameter("Unzipped size must be smaller than %d bytes", sandbox.MaxUnpacked)
	}
	return s.takeZip(io.LimitReader(object, size), size)
}

// objectError words S3's refusal as Lambda passes it on; the words for bucket and key are recorded from the real service.
func objectError(err error) error {
	const refusal = "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s"
	switch {
	case errors.Is(err, ErrNoBucket):
		return invalidParameter(refusal, "NoSuchBucket", "The specified bucket does not exist")
	case errors.Is(err, ErrNoKey):
		return invalidParameter(refusal, "NoSuchKey", "The specified key does not exist.")
	case errors.Is(err, ErrNoVersion):
		return invalidParameter(refusal, "NoSuchVersion", "The specified version does not exist.")
	}
	return fmt.Errorf("open s3 object: %w", err)
}
