package s3

import (
	"crypto/md5" // the ETag of an object is its MD5
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
)

// Options configure a store.
type Options struct {
	// Dir holds buckets and objects; one store at a time may use it.
	Dir string
	// Notify gets an event for a destination of a bucket's notification configuration, a Lambda function, queue or topic by ARN; nil drops it. It must
	// not block.
	Notify func(bucket, destination string, event []byte)
	// Takes tells whether a destination can be notified of a bucket, when that is configured; nil: all can.
	Takes func(bucket, destination string) bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Store is the buckets with what lies in them, and an http.Handler. Its methods may be called at the same time.
type Store struct {
	opts Options

	mu      sync.RWMutex // guards buckets, what they point to, and uploads
	buckets map[string]*bucket
	uploads map[string]*upload
}

// object is one as it is kept.
type object struct {
	Key      string
	Size     int64
	ETag     string // without quotes
	Modified time.Time
	Header   map[string]string // content type and so on, and user metadata
	Checksum map[string]string // by header
	Tags     string            // as in x-amz-tagging
	Parts    int               // of a multipart upload
	File     string            // below objects
}

// Open reads a store's directory.
func Open(opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Store{opts: opts, buckets: map[string]*bucket{}, uploads: map[string]*upload{}}
	if err := os.MkdirAll(opts.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make directory of buckets: %w", err)
	}
	entries, err := os.ReadDir(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("list buckets: %w", err)
	}
	for _, entry := range entries {
		b, err := s.load(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read bucket %s: %w", entry.Name(), err)
		}
		if b != nil {
			s.buckets[b.Name] = b
		}
	}
	return s, nil
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(s.opts.Dir, filepath.Join(parts...))
}

func (s *Store) bucket(name string) (*bucket, error) {
	if b := s.buckets[name]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("bucket %s: %w", name, ErrNoBucket)
}

// Get opens an object and returns its size. Version is empty, or "null" as for every object of a bucket without versions. Errors wrap ErrNoBucket,
// ErrNoKey or ErrNoVersion. The caller closes.
func (s *Store) Get(bucket, key, version string) (io.ReadCloser, int64, error) {
	if version != "" && version != "null" {
		return nil, 0, fmt.Errorf("object %s of bucket %s: %w", key, bucket, ErrNoVersion)
	}
	o, f, err := s.open(bucket, key)
	if err != nil {
		return nil, 0, err
	}
	return f, o.Size, nil
}

func (s *Store) open(name, key string) (object, *os.File, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, err := s.find(name, key)
	if err != nil {
		return object{}, nil, err
	}
	f, err := os.Open(s.path(name, "objects", o.File))
	if err != nil {
		return object{}, nil, fmt.Errorf("open object %s of bucket %s: %w", key, name, err)
	}
	return *o, f, nil
}

func (s *Store) find(name, key string) (*object, error) {
	b, err := s.bucket(name)
	if err != nil {
		return nil, err
	}
	if o := b.objects[key]; o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("object %s of bucket %s: %w", key, name, ErrNoKey)
}

// Put stores an object.
func (s *Store) Put(bucket, key string, content io.Reader, header map[string]string) error {
	b := &body{in: content, md5: md5.New()}
	_, err := s.put(bucket, object{Key: key, Header: header}, b, nil)
	return err
}

// put streams a body to a file and makes it the object's, provided that allowed agrees to what is there (nil for nothing) when the body has ended.
func (s *Store) put(name string, o object, b *body, allowed func(old *object) error) (object, error) {
	if err := s.has(name); err != nil {
		return object{}, err
	}
	file := hashed(o.Key) + "-" + newID()
	path := s.path(name, "objects", file)
	if err := writeAll(path, b); err != nil {
		return object{}, err
	}
	o.File, o.Size, o.ETag = file, b.size, b.etag()
	if sum := b.checksum(); sum != "" {
		o.Checksum = map[string]string{b.name: sum}
	}
	if err := s.commit(name, &o, allowed); err != nil {
		return object{}, errors.Join(err, os.Remove(path))
	}
	return o, nil
}

// commit makes an object whose file is written the one of its key. Files are not synced: what a killed program wrote is there, and a machine that loses
// power may lose the emulated cloud's newest objects.
func (s *Store) commit(name string, o *object, allowed func(old *object) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	old := b.objects[o.Key]
	if allowed != nil {
		if err := allowed(old); err != nil {
			return err
		}
	}
	o.Modified = s.opts.Now().UTC()
	if err := keep.Save(s.path(name, "objects", hashed(o.Key)+".json"), o); err != nil {
		return err
	}
	b.objects[o.Key] = o
	if old != nil {
		return os.Remove(s.path(name, "objects", old.File))
	}
	return nil
}

// Delete removes an object, if it is there.
func (s *Store) Delete(name, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	o := b.objects[key]
	if o == nil {
		return nil
	}
	delete(b.objects, key)
	err = errors.Join(os.Remove(s.path(name, "objects", hashed(key)+".json")), os.Remove(s.path(name, "objects", o.File)))
	if err != nil {
		return fmt.Errorf("remove object %s of bucket %s: %w", key, name, err)
	}
	return nil
}

// writeAll makes a file of what the reader gives, or none.
func writeAll(path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write object: %w", err)
	}
	_, err = io.Copy(struct{ io.Writer }{f}, from)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// hashed is a file name for a key, which may be longer than one and hold any character.
func hashed(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// edit changes an object's metadata.
func (s *Store) edit(name, key string, change func(o *object)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.find(name, key)
	if err != nil {
		return err
	}
	next := *old
	change(&next)
	if err := keep.Save(s.path(name, "objects", hashed(key)+".json"), next); err != nil {
		return err
	}
	*old = next
	return nil
}
