package ecr

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// upload is a blob on its way in.
type upload struct {
	repository string
	path       string

	mu   sync.Mutex // guards what follows, and the file's growth
	size int64
	sum  hash.Hash
	done bool
}

func (s *Store) serveUpload(w http.ResponseWriter, r *http.Request, name, id string) error {
	if id == "" {
		if r.Method != http.MethodPost {
			return refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
		}
		return s.startUpload(w, r, name)
	}
	s.mu.Lock()
	u := s.uploads[id]
	s.mu.Unlock()
	if u == nil || u.repository != name {
		return refuse(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "The upload with id '%s' does not exist in the repository with name '%s'", id, name)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch r.Method {
	case http.MethodGet:
		u.tell(w, name, id, http.StatusNoContent)
		return nil
	case http.MethodPatch:
		if err := u.add(r); err != nil {
			return err
		}
		u.tell(w, name, id, http.StatusAccepted)
		return nil
	case http.MethodPut:
		if err := u.add(r); err != nil {
			return err
		}
		return s.finishUpload(w, r, name, id, u)
	case http.MethodDelete:
		s.drop(id, u)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
}

// startUpload makes an upload; or mounts a blob of another repository, or takes one whole.
func (s *Store) startUpload(w http.ResponseWriter, r *http.Request, name string) error {
	query := r.URL.Query()
	if digest := query.Get("mount"); validDigest(digest) {
		mounted, err := s.mount(name, query.Get("from"), digest)
		if err != nil {
			return err
		}
		if mounted {
			tellBlob(w, name, digest)
			return nil
		}
	}
	if err := s.view(name, func(*repository) error { return nil }); err != nil {
		return err
	}
	id := wire.NewID()
	u := &upload{repository: name, path: s.path("uploads", id), sum: sha256.New()}
	f, err := os.OpenFile(u.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("start upload: %w", err)
	}
	s.mu.Lock()
	s.uploads[id] = u
	s.mu.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	if query.Get("digest") == "" {
		u.tell(w, name, id, http.StatusAccepted)
		return nil
	}
	if err := u.add(r); err != nil {
		return err
	}
	return s.finishUpload(w, r, name, id, u)
}

// mount gives a repository a blob that another of the same registry has.
func (s *Store) mount(name, from, digest string) (mounted bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(name)
	if err != nil {
		return false, err
	}
	source := s.repositories[from]
	if source == nil {
		return false, nil
	}
	size, ok := source.Blobs[digest]
	if !ok || s.touch(digest) != nil {
		return false, nil
	}
	r.Blobs[digest] = size
	return true, s.save(r)
}

// touch keeps a blob from being swept before what it was asked for is done. The caller holds s.mu.
func (s *Store) touch(digest string) error {
	return os.Chtimes(s.blobPath(digest), time.Time{}, s.opts.Now())
}

func (u *upload) tell(w http.ResponseWriter, name, id string, status int) {
	h := w.Header()
	h.Set("Location", "/v2/"+name+"/blobs/uploads/"+id)
	h.Set("Docker-Upload-Uuid", id)
	h.Set("Range", fmt.Sprintf("0-%d", max(u.size-1, 0)))
	w.WriteHeader(status)
}

func tellBlob(w http.ResponseWriter, name, digest string) {
	w.Header().Set("Location", "/v2/"+name+"/blobs/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

// add appends a request's body. What breaks off is taken back, so that the client can send it again. The caller holds u.mu.
func (u *upload) add(r *http.Request) (err error) {
	if u.done {
		return refuse(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "The upload is done")
	}
	if span := r.Header.Get("Content-Range"); span != "" {
		var first, last int64
		if n, _ := fmt.Sscanf(strings.TrimPrefix(span, "bytes "), "%d-%d", &first, &last); n != 2 || first != u.size || r.ContentLength >= 0 && last-first+1 != r.ContentLength {
			return refuse(http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "Content-Range %q does not continue at %d", span, u.size)
		}
	}
	f, err := os.OpenFile(u.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("open upload: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	before, err := u.state()
	if err != nil {
		return err
	}
	n, err := io.Copy(io.MultiWriter(f, u.sum), r.Body)
	if err != nil {
		return errors.Join(fmt.Errorf("read blob: %w", err), u.restore(before), f.Truncate(u.size))
	}
	u.size += n
	return nil
}

// binaryState is what Go's hashes can save and restore.
type binaryState interface {
	MarshalBinary() ([]byte, error)
	UnmarshalBinary(data []byte) error
}

func (u *upload) state() ([]byte, error) { return u.sum.(binaryState).MarshalBinary() }

func (u *upload) restore(state []byte) error {
	return u.sum.(binaryState).UnmarshalBinary(state)
}

// finishUpload makes a blob of an upload. The caller holds u.mu.
func (s *Store) finishUpload(w http.ResponseWriter, r *http.Request, name, id string, u *upload) error {
	digest := r.URL.Query().Get("digest")
	if got := digestPrefix + hex.EncodeToString(u.sum.Sum(nil)); got != digest {
		s.drop(id, u)
		return refuse(http.StatusBadRequest, "DIGEST_INVALID", "the blob's digest is %s, not %q", got, digest)
	}
	err := s.edit(name, func(repository *repository) error {
		if err := os.Rename(u.path, s.blobPath(digest)); err != nil {
			return fmt.Errorf("keep blob %s: %w", digest, err)
		}
		repository.Blobs[digest] = u.size
		return s.touch(digest)
	})
	s.drop(id, u)
	if err != nil {
		return err
	}
	tellBlob(w, name, digest)
	return nil
}

// drop ends an upload. The caller holds u.mu.
func (s *Store) drop(id string, u *upload) {
	u.done = true
	s.mu.Lock()
	delete(s.uploads, id)
	s.mu.Unlock()
	_ = os.Remove(u.path) // it is temporary, or a blob by now
}

// getBlob sends a blob, or a part of it.
func (s *Store) getBlob(w http.ResponseWriter, r *http.Request, name, digest string) error {
	var f *os.File
	err := s.view(name, func(repository *repository) error {
		if _, ok := repository.Blobs[digest]; !ok {
			return fs.ErrNotExist
		}
		if err := s.touch(digest); err != nil {
			return err
		}
		var err error
		f, err = os.Open(s.blobPath(digest))
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return refuse(http.StatusNotFound, "BLOB_UNKNOWN", "The layer with digest '%s' does not exist in the repository with name '%s' in the registry with id '%s'", digest, name, s.opts.Account)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Docker-Content-Digest", digest)
	h.Set("Etag", `"`+digest+`"`)
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}
