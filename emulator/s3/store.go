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
	"slices"
	"strings"
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

// bucket is one as it is kept, in DIR/NAME: bucket.json, objects/HASH.json with objects/HASH-ID for the data, and uploads/.
type bucket struct {
	Name    string
	Region  string
	Created time.Time
	Configs map[string]string // XML documents by subresource

	objects map[string]*object
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

// load reads a bucket, nil where its creation or deletion was cut short, and removes what a killed program left half-written.
func (s *Store) load(name string) (*bucket, error) {
	b := &bucket{objects: map[string]*object{}}
	if err := keep.Load(s.path(name, "bucket.json"), b); err != nil {
		return nil, err
	}
	if b.Name == "" {
		return nil, os.RemoveAll(s.path(name))
	}
	if err := os.RemoveAll(s.path(name, "uploads")); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.path(name, "objects"))
	if err != nil {
		return nil, err
	}
	files := map[string]bool{}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		o := &object{}
		if err := keep.Load(s.path(name, "objects", entry.Name()), o); err != nil {
			return nil, err
		}
		b.objects[o.Key] = o
		files[o.File], files[entry.Name()] = true, true
	}
	for _, entry := range entries {
		if !files[entry.Name()] {
			err = errors.Join(err, os.Remove(s.path(name, "objects", entry.Name())))
		}
	}
	return b, err
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

// CreateBucket makes a bucket unless it is there; it reports whether it was made.
func (s *Store) CreateBucket(name, region string) (bool, error) {
	if !validBucket(name) {
		return false, &failure{Status: 400, Code: "InvalidBucketName", Message: "The specified bucket is not valid.", BucketName: name}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] != nil {
		return false, nil
	}
	if err := os.MkdirAll(s.path(name, "objects"), 0o755); err != nil {
		return false, fmt.Errorf("make bucket %s: %w", name, err)
	}
	b := &bucket{Name: name, Region: region, Created: s.opts.Now().UTC(), Configs: map[string]string{}, objects: map[string]*object{}}
	if err := keep.Save(s.path(name, "bucket.json"), b); err != nil {
		return false, err
	}
	s.buckets[name] = b
	return true, nil
}

// validBucket follows "Bucket naming rules" of the Amazon S3 User Guide, the reserved prefixes left aside.
func validBucket(name string) bool {
	if len(name) < 3 || len(name) > 63 || strings.Contains(name, "..") {
		return false
	}
	alphanumeric := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	for i := range len(name) {
		if c := name[i]; !alphanumeric(c) && c != '-' && c != '.' {
			return false
		}
	}
	return alphanumeric(name[0]) && alphanumeric(name[len(name)-1])
}

// DeleteBucket removes an empty bucket.
func (s *Store) DeleteBucket(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	if len(b.objects) > 0 {
		return &failure{Status: 409, Code: "BucketNotEmpty", Message: "The bucket you tried to delete is not empty", BucketName: name}
	}
	delete(s.buckets, name)
	if err := os.RemoveAll(s.path(name)); err != nil {
		return fmt.Errorf("remove bucket %s: %w", name, err)
	}
	return nil
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

func (s *Store) has(name string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, err := s.bucket(name)
	return err
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

// Buckets lists their names in order.
func (s *Store) Buckets() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := make([]string, 0, len(s.buckets))
	for name := range s.buckets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
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

// config returns a kept configuration of a bucket.
func (s *Store) config(name, kind string) (string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.bucket(name)
	if err != nil {
		return "", err
	}
	return b.Configs[kind], nil
}

// setConfig keeps a configuration of a bucket; an empty one is removed.
func (s *Store) setConfig(name, kind, document string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	next := bucket{Name: b.Name, Region: b.Region, Created: b.Created, Configs: map[string]string{}}
	for k, v := range b.Configs {
		next.Configs[k] = v
	}
	delete(next.Configs, kind)
	if document != "" {
		next.Configs[kind] = document
	}
	if err := keep.Save(s.path(name, "bucket.json"), next); err != nil {
		return err
	}
	b.Configs = next.Configs
	return nil
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
