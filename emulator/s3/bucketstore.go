package s3

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
)

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

// bucket is one as it is kept, in DIR/NAME: bucket.json, objects/HASH.json with objects/HASH-ID for the data, and uploads/.
type bucket struct {
	Name    string
	Region  string
	Created time.Time
	Configs map[string]string // XML documents by subresource

	objects map[string]*object
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

func (s *Store) has(name string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, err := s.bucket(name)
	return err
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
