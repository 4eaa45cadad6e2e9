package ecr

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
)

// Options configure a store.
type Options struct {
	// Dir holds repositories and blobs; one store at a time may use it.
	Dir string
	// Account and Region are those of the registry.
	Account, Region string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Store is the repositories of an account in a region. Its methods may be called at the same time.
type Store struct {
	opts Options

	mu           sync.Mutex // guards repositories, what they point to, and uploads
	repositories map[string]*repository
	uploads      map[string]*upload
}

// repository is one as it is kept, in DIR/repositories/NAME.json, the slashes escaped.
type repository struct {
	Name       string
	Created    time.Time
	Mutability string
	ScanOnPush bool
	Blobs      map[string]int64  // sizes by digest
	Images     map[string]*image // by digest
	Tags       map[string]string // digests by tag
	Lifecycle  string
	Evaluated  time.Time // when the lifecycle policy was put
	Policy     string
	Labels     map[string]string // its AWS tags
}

// image is a manifest.
type image struct {
	MediaType  string
	ConfigType string // media type of the configuration, or the artifact type
	Size       int64  // of all that it refers to, as DescribeImages tells
	Length     int64  // of the manifest itself
	Pushed     time.Time
	References []string // digests of blobs and manifests
	Subject    string
}

// Open reads a store's directory.
func Open(opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Store{opts: opts, repositories: map[string]*repository{}, uploads: map[string]*upload{}}
	if err := os.RemoveAll(s.path("uploads")); err != nil {
		return nil, fmt.Errorf("remove unfinished uploads: %w", err)
	}
	for _, dir := range []string{"uploads", "blobs", "repositories"} {
		if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
			return nil, fmt.Errorf("make directory of images: %w", err)
		}
	}
	entries, err := os.ReadDir(s.path("repositories"))
	if err != nil {
		return nil, fmt.Errorf("list repositories: %w", err)
	}
	for _, entry := range entries {
		r := &repository{}
		if !strings.HasSuffix(entry.Name(), ".json") {
			continue // not whole when the program was killed
		}
		if err := keep.Load(s.path("repositories", entry.Name()), r); err != nil {
			return nil, err
		}
		s.repositories[r.Name] = r
	}
	return s, s.sweep()
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(s.opts.Dir, filepath.Join(parts...))
}

// blobPath is the file of a digest, which has been checked by validDigest.
func (s *Store) blobPath(digest string) string {
	return s.path("blobs", strings.TrimPrefix(digest, digestPrefix))
}

func (s *Store) file(name string) string {
	return s.path("repositories", strings.ReplaceAll(name, "/", "%")+".json")
}

// save keeps a repository. The caller holds s.mu.
func (s *Store) save(r *repository) error {
	return keep.Save(s.file(r.Name), r)
}

// find returns a repository. The caller holds s.mu.
func (s *Store) find(name string) (*repository, error) {
	if r := s.repositories[name]; r != nil {
		return r, nil
	}
	return nil, s.noRepository(name)
}

// edit changes a repository.
func (s *Store) edit(name string, change func(r *repository) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(name)
	if err != nil {
		return err
	}
	if err := change(r); err != nil {
		return err
	}
	return s.save(r)
}

// view reads a repository.
func (s *Store) view(name string, look func(r *repository) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(name)
	if err != nil {
		return err
	}
	return look(r)
}

// grace is how long a blob that no manifest names is kept: a push sends blobs first, or finds them there, and names them at its end.
const grace = time.Hour

// sweep removes blobs that no manifest names and that nothing asked for lately.
func (s *Store) sweep() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	named := map[string]bool{}
	for _, r := range s.repositories {
		for digest, i := range r.Images {
			named[digest] = true
			for _, reference := range i.References {
				named[reference] = true
			}
		}
	}
	entries, err := os.ReadDir(s.path("blobs"))
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	gone := map[string]bool{}
	for _, entry := range entries {
		info, err := entry.Info()
		digest := digestPrefix + entry.Name()
		if err != nil || named[digest] || s.opts.Now().Sub(info.ModTime()) < grace {
			continue
		}
		if err := os.Remove(s.path("blobs", entry.Name())); err != nil {
			return fmt.Errorf("remove blob %s: %w", digest, err)
		}
		gone[digest] = true
	}
	return s.forget(gone)
}

// forget takes blobs that were removed out of the repositories. The caller holds s.mu.
func (s *Store) forget(gone map[string]bool) error {
	var errs []error
	for _, r := range s.repositories {
		changed := false
		for digest := range r.Blobs {
			if gone[digest] {
				delete(r.Blobs, digest)
				changed = true
			}
		}
		if changed {
			errs = append(errs, s.save(r))
		}
	}
	return errors.Join(errs...)
}

// tagsOf lists the tags of an image in order.
func (r *repository) tagsOf(digest string) []string {
	var tags []string
	for tag, d := range r.Tags {
		if d == digest {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags
}

// resolve returns the digest that a tag or digest names; "" where there is none.
func (r *repository) resolve(reference string) string {
	if r.Images[reference] != nil {
		return reference
	}
	return r.Tags[reference]
}

const digestPrefix = "sha256:"

var (
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	nameForm   = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	tagForm    = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

func validDigest(digest string) bool { return digestForm.MatchString(digest) }

// validName follows the API's documentation of repositoryName.
func validName(name string) bool {
	return len(name) >= 2 && len(name) <= 256 && nameForm.MatchString(name)
}
