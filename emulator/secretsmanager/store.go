// Package secretsmanager is AWS Secrets Manager as far as functions and this project call it: secrets with their versions, stages and tags, kept on
// disk unencrypted. Its errors have the words of the real service where those are known from recordings (LocalStack's AWS-validated snapshots), and
// its codes elsewhere.
package secretsmanager

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// secret is one secret as it is kept.
type secret struct {
	Name, ARN             string
	Description, KmsKeyId string
	Created, Changed      time.Time
	Deleted               time.Time // zero unless it is marked for deletion
	Tags                  []tag
	Versions              map[string]*secretVersion // by id
}

type secretVersion struct {
	Created time.Time
	String  *string
	Binary  []byte
	Stages  []string
}

// The staging labels that Secrets Manager itself moves.
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

// Options configure a store.
type Options struct {
	Dir             string // holds the secrets across restarts; made if need be
	Account, Region string
}

// Store is the secrets of an account in a region. Its methods may be called at the same time.
type Store struct {
	opts Options
	kept *keep.Documents[secret] // by name
}

// Open returns a store with what the directory holds.
func Open(opts Options) (*Store, error) {
	kept, err := keep.OpenDocuments(opts.Dir, func(s *secret) string { return s.Name })
	if err != nil {
		return nil, err
	}
	return &Store{opts, kept}, nil
}

// API answers the operations of Secrets Manager, over AWS JSON 1.1.
func (m *Store) API() http.Handler {
	service := wire.NewService("")
	wire.Handle(service, "CreateSecret", m.create)
	wire.Handle(service, "GetSecretValue", m.value)
	wire.Handle(service, "PutSecretValue", m.putValue)
	wire.Handle(service, "UpdateSecret", m.update)
	wire.Handle(service, "DescribeSecret", m.describe)
	wire.Handle(service, "ListSecrets", m.list)
	wire.Handle(service, "DeleteSecret", m.deleteSecret)
	wire.Handle(service, "RestoreSecret", m.restore)
	wire.Handle(service, "TagResource", m.tag)
	wire.Handle(service, "UntagResource", m.untag)
	return service
}

// secretID is what most operations take.
type secretID struct{ SecretId string }

// payload is a value in a request.
type payload struct {
	SecretString *string
	SecretBinary []byte
}

const maxSecret = 65536

func (p payload) given() bool { return p.SecretString != nil || p.SecretBinary != nil }

func (p payload) check() error {
	if p.SecretString != nil && p.SecretBinary != nil {
		return refused("InvalidParameterException", "You can't specify both a binary secret value and a string secret value in the same secret.")
	}
	size := len(p.SecretBinary)
	if p.SecretString != nil {
		size = len(*p.SecretString)
	}
	if size > maxSecret {
		return refused("ValidationException", fmt.Sprintf("1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to %d", maxSecret))
	}
	return nil
}

func secretNotFound() error {
	return refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

// find returns the secret that id names: by name, by ARN, or by ARN without the six characters at its end. The caller holds the lock.
func (m *Store) find(id string) (*secret, error) {
	if id == "" {
		return nil, refused("ValidationException", "1 validation error detected: Value '' at 'secretId' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	if s := m.kept.All[id]; s != nil {
		return s, nil
	}
	for _, s := range m.kept.All {
		if s.ARN == id || strings.HasPrefix(id, "arn:") && s.ARN[:len(s.ARN)-len("-AbCdEf")] == id {
			return s, nil
		}
	}
	return nil, secretNotFound()
}

// alive is find for operations that a secret marked for deletion refuses.
func (m *Store) alive(id string) (*secret, error) {
	s, err := m.find(id)
	if err == nil && !s.Deleted.IsZero() {
		return nil, refused("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
	}
	return s, err
}

// change has edit change a copy of the secret and keeps it.
func (m *Store) change(id string, edit func(s *secret) error) (*secret, error) {
	m.kept.Lock()
	defer m.kept.Unlock()
	old, err := m.alive(id)
	if err != nil {
		return nil, err
	}
	s := *old
	s.Versions = map[string]*secretVersion{}
	for id, v := range old.Versions {
		copied := *v
		copied.Stages = slices.Clone(v.Stages)
		s.Versions[id] = &copied
	}
	s.Tags = slices.Clone(old.Tags)
	if err := edit(&s); err != nil {
		return nil, err
	}
	s.Changed = time.Now()
	return &s, m.kept.Put(s.Name, &s)
}

// add makes a version current, or gives it the stages asked for; the same id with the same value changes nothing.
func (s *secret) add(id string, p payload, stages []string) (string, error) {
	if id == "" {
		id = wire.NewID()
	}
	if len(stages) == 0 {
		stages = []string{stageCurrent}
	}
	if v := s.Versions[id]; v != nil {
		same := string(v.Binary) == string(p.SecretBinary) && (v.String == nil) == (p.SecretString == nil) && (v.String == nil || *v.String == *p.SecretString)
		if !same {
			return "", refused("ResourceExistsException", "You can't change a secret version's value after it's created. To update a secret, create a new version.")
		}
		return id, nil
	}
	for _, stage := range stages {
		s.move(stage)
	}
	for old, v := range s.Versions { // versions without a stage are deprecated, and go
		if len(v.Stages) == 0 {
			delete(s.Versions, old)
		}
	}
	s.Versions[id] = &secretVersion{Created: time.Now(), String: p.SecretString, Binary: p.SecretBinary, Stages: stages}
	return id, nil
}

// move takes a stage from the version that has it; who was current becomes the previous one.
func (s *secret) move(stage string) {
	for _, v := range s.Versions {
		if !slices.Contains(v.Stages, stage) {
			continue
		}
		v.Stages = slices.DeleteFunc(v.Stages, func(have string) bool { return have == stage })
		if stage == stageCurrent {
			s.move(stagePrevious)
			v.Stages = append(v.Stages, stagePrevious)
		}
		return
	}
}

// pick returns the version that is asked for.
func (s *secret) pick(id, stage string) (string, *secretVersion, error) {
	if id != "" {
		v := s.Versions[id]
		switch {
		case v == nil:
			return "", nil, refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: "+id)
		case stage != "" && !slices.Contains(v.Stages, stage):
			return "", nil, refused("InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.")
		}
		return id, v, nil
	}
	if stage == "" {
		stage = stageCurrent
	}
	for id, v := range s.Versions {
		if slices.Contains(v.Stages, stage) {
			return id, v, nil
		}
	}
	return "", nil, refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: "+stage)
}

// stages tells which version has which labels, nil for none.
func (s *secret) stages() map[string][]string {
	all := map[string][]string{}
	for id, v := range s.Versions {
		all[id] = v.Stages
	}
	return all
}

// newARN is a secret's, with six random characters at its end.
func (m *Store) newARN(name string) string {
	return fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:%s-%s", m.opts.Region, m.opts.Account, name, rand.Text()[:6])
}

// sorted returns the secrets in the order of their creation. The caller holds the lock.
func (m *Store) sorted() []*secret {
	return slices.SortedFunc(maps.Values(m.kept.All), func(a, b *secret) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
}
