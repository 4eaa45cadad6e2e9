package ecr

import (
	"context"
	"encoding/base64"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// API answers ECR's operations, over AWS JSON 1.1.
func (s *Store) API() http.Handler {
	service := wire.NewService("")
	wire.Handle(service, "GetAuthorizationToken", s.getAuthorizationToken)
	wire.Handle(service, "CreateRepository", s.createRepository)
	wire.Handle(service, "DescribeRepositories", s.describeRepositories)
	wire.Handle(service, "DeleteRepository", s.deleteRepository)
	wire.Handle(service, "PutImageTagMutability", s.putMutability)
	wire.Handle(service, "TagResource", s.tagResource)
	wire.Handle(service, "UntagResource", s.untagResource)
	wire.Handle(service, "ListTagsForResource", s.listTags)
	s.handlePolicies(service)
	s.handleImages(service)
	return service
}

// tokenLife is how long a password of the registry is valid (ECR API Reference, AuthorizationData).
const tokenLife = 12 * time.Hour

type tag struct{ Key, Value string }

type described struct {
	RepositoryArn      string    `json:"repositoryArn"`
	RegistryId         string    `json:"registryId"`
	RepositoryName     string    `json:"repositoryName"`
	RepositoryUri      string    `json:"repositoryUri"`
	CreatedAt          wire.Time `json:"createdAt"`
	ImageTagMutability string    `json:"imageTagMutability"`
	Scanning           scanning  `json:"imageScanningConfiguration"`
	Encryption         encrypted `json:"encryptionConfiguration"`
}

type scanning struct {
	ScanOnPush bool `json:"scanOnPush"`
}

type encrypted struct {
	EncryptionType string `json:"encryptionType"`
}

func (s *Store) arn(name string) string {
	return "arn:aws:ecr:" + s.opts.Region + ":" + s.opts.Account + ":repository/" + name
}

func (s *Store) describe(ctx context.Context, r *repository) described {
	return described{RepositoryArn: s.arn(r.Name), RegistryId: s.opts.Account, RepositoryName: r.Name, RepositoryUri: s.registryHost(ctx) + "/" + r.Name,
		CreatedAt: wire.Time{Time: r.Created}, ImageTagMutability: r.Mutability, Scanning: scanning{r.ScanOnPush}, Encryption: encrypted{"AES256"}}
}

type createRepository struct {
	RepositoryName     string   `json:"repositoryName"`
	ImageTagMutability string   `json:"imageTagMutability"`
	Scanning           scanning `json:"imageScanningConfiguration"`
	Tags               []tag    `json:"tags"`
}

type oneRepository struct {
	Repository described `json:"repository"`
}

func (s *Store) createRepository(ctx context.Context, in *createRepository) (oneRepository, error) {
	if !validName(in.RepositoryName) {
		return oneRepository{}, wire.Refuse("InvalidParameterException", "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular "+
			"expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''")
	}
	mutability, err := checkMutability(in.ImageTagMutability)
	if err != nil {
		return oneRepository{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repositories[in.RepositoryName] != nil {
		return oneRepository{}, wire.Refuse("RepositoryAlreadyExistsException", "The repository with name '%s' already exists in the registry with id '%s'",
			in.RepositoryName, s.opts.Account)
	}
	r := &repository{Name: in.RepositoryName, Created: s.opts.Now().UTC(), Mutability: mutability, ScanOnPush: in.Scanning.ScanOnPush,
		Blobs: map[string]int64{}, Images: map[string]*image{}, Tags: map[string]string{}, Labels: map[string]string{}}
	for _, t := range in.Tags {
		r.Labels[t.Key] = t.Value
	}
	if err := s.save(r); err != nil {
		return oneRepository{}, err
	}
	s.repositories[r.Name] = r
	return oneRepository{s.describe(ctx, r)}, nil
}

const (
	mutable   = "MUTABLE"
	immutable = "IMMUTABLE"
)

func checkMutability(m string) (string, error) {
	switch m {
	case "":
		return mutable, nil
	case mutable, immutable:
		return m, nil
	}
	return "", wire.Refuse("InvalidParameterException", "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [IMMUTABLE, MUTABLE]'")
}

type mutability struct {
	RegistryId         string `json:"registryId"`
	RepositoryName     string `json:"repositoryName"`
	ImageTagMutability string `json:"imageTagMutability"`
}

func (s *Store) putMutability(_ context.Context, in *mutability) (mutability, error) {
	m, err := checkMutability(in.ImageTagMutability)
	if err != nil {
		return mutability{}, err
	}
	err = s.edit(in.RepositoryName, func(r *repository) error { r.Mutability = m; return nil })
	return mutability{s.opts.Account, in.RepositoryName, m}, err
}

type describeRepositories struct {
	RepositoryNames []string `json:"repositoryNames"`
	MaxResults      int      `json:"maxResults"`
	NextToken       string   `json:"nextToken"`
}

type repositories struct {
	Repositories []described `json:"repositories"`
	NextToken    string      `json:"nextToken,omitempty"`
}

func (s *Store) describeRepositories(ctx context.Context, in *describeRepositories) (repositories, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := in.RepositoryNames
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(s.repositories))
	}
	names, next, err := page(names, in.NextToken, in.MaxResults)
	if err != nil {
		return repositories{}, err
	}
	out := repositories{Repositories: []described{}, NextToken: next}
	for _, name := range names {
		r, err := s.find(name)
		if err != nil {
			return repositories{}, err
		}
		out.Repositories = append(out.Repositories, s.describe(ctx, r))
	}
	return out, nil
}

type deleteRepository struct {
	RepositoryName string `json:"repositoryName"`
	Force          bool   `json:"force"`
}

func (s *Store) deleteRepository(ctx context.Context, in *deleteRepository) (oneRepository, error) {
	out, err := s.remove(ctx, in)
	if err != nil {
		return oneRepository{}, err
	}
	return out, s.sweep()
}

func (s *Store) remove(ctx context.Context, in *deleteRepository) (oneRepository, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RepositoryName)
	if err != nil {
		return oneRepository{}, err
	}
	if len(r.Images) > 0 && !in.Force {
		return oneRepository{}, wire.Refuse("RepositoryNotEmptyException", "The repository with name '%s' in registry with id '%s' cannot be deleted because it still "+
			"contains images", r.Name, s.opts.Account)
	}
	if err := os.Remove(s.file(r.Name)); err != nil {
		return oneRepository{}, err
	}
	delete(s.repositories, r.Name)
	return oneRepository{s.describe(ctx, r)}, nil
}

// pageSize is how many items a page has unless the request says; the most is a thousand.
const pageSize = 100

// page cuts a page out of items in order; the token is the last item of the page before.
func page(items []string, token string, limit int) (cut []string, next string, err error) {
	if limit < 0 || limit > 1000 {
		return nil, "", wire.Refuse("InvalidParameterException", "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must be between 1 and 1000'")
	}
	if limit == 0 {
		limit = pageSize
	}
	if token != "" {
		last, err := base64.StdEncoding.DecodeString(token)
		at := slices.Index(items, string(last))
		if err != nil || at < 0 {
			return nil, "", wire.Refuse("InvalidParameterException", "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'")
		}
		items = items[at+1:]
	}
	if len(items) <= limit {
		return items, "", nil
	}
	return items[:limit], base64.StdEncoding.EncodeToString([]byte(items[limit-1])), nil
}

func (s *Store) noRepository(name string) *wire.Error {
	return wire.Refuse("RepositoryNotFoundException", "The repository with name '%s' does not exist in the registry with id '%s'", name, s.opts.Account)
}

// userName that the registry's passwords belong to.
const userName = "AWS"

var registryName = regexp.MustCompile(`^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.`)
