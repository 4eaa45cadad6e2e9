// Package iam answers for AWS's Identity and Access Management as far as roles of functions and its simulation go: roles and users with inline
// policies, and what these policies allow. Nothing is enforced: whoever reaches the emulator may do everything.
package iam

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

const namespace = "https://iam.amazonaws.com/doc/2010-05-08/"

// Options say where roles are kept, and whose they are.
type Options struct {
	Dir     string                        // of the file
	User    string                        // a user that is there from the start, and may do everything until it gets a policy of its own
	Account func(accessKey string) string // that a caller's access key belongs to
}

// principal is a role or user as it is kept.
type principal struct {
	ARN      string
	ID       string
	Path     string
	Name     string
	Created  time.Time
	Trust    string            `json:",omitempty"` // of a role: who may assume it
	About    string            `json:",omitempty"` // its description
	Policies map[string]string `json:",omitempty"` // inline, by name
	Attached []string          `json:",omitempty"` // ARNs of managed policies
	Boundary string            `json:",omitempty"` // ARN of the managed policy that bounds it
	Tags     map[string]string `json:",omitempty"`
}

type store struct {
	opts Options
	path string

	mu  sync.Mutex            // guards all and the file; what all points to is replaced, never changed in place
	all map[string]*principal // by ARN
}

// Open reads what is kept and returns the API.
func Open(opts Options) (http.Handler, error) {
	s := &store{opts: opts, path: filepath.Join(opts.Dir, "iam.json"), all: map[string]*principal{}}
	if err := keep.Load(s.path, &s.all); err != nil {
		return nil, fmt.Errorf("read roles: %w", err)
	}
	api := wire.NewService(namespace)
	s.register(api)
	wire.Handle(api, "SimulatePrincipalPolicy", s.simulatePrincipal)
	wire.Handle(api, "SimulateCustomPolicy", s.simulateCustom)
	return api, nil
}

// user is the ARN of the user that is there from the start.
func (s *store) user(account string) string {
	return "arn:aws:iam::" + account + ":user/" + s.opts.User
}

// everything is the policy of that user, and of whoever is like root.
const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// find returns a principal; nil where there is none. The caller holds s.mu.
func (s *store) find(arn string) *principal {
	if p := s.all[arn]; p != nil {
		return p
	}
	account, ok := accountOf(arn)
	if !ok || arn != s.user(account) {
		return nil
	}
	return &principal{ARN: arn, ID: "AIDALOCAL", Path: "/", Name: s.opts.User, Policies: map[string]string{"AdministratorAccess": everything}}
}

var principalARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):(role|user)/((?:[\w+=,.@-]+/)*)([\w+=,.@-]{1,64})$`)

func accountOf(arn string) (string, bool) {
	m := principalARN.FindStringSubmatch(arn)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// called returns the principal of a kind and name in an account. The caller holds s.mu.
func (s *store) called(account, kind, name string) (*principal, error) {
	if kind == "user" && name == s.opts.User {
		return s.find(s.user(account)), nil
	}
	prefix := "arn:aws:iam::" + account + ":" + kind + "/"
	for arn, p := range s.all {
		if strings.HasPrefix(arn, prefix) && p.Name == name {
			return p, nil
		}
	}
	return nil, &wire.Error{Status: http.StatusNotFound, Code: "NoSuchEntity", Message: fmt.Sprintf("The %s with name %s cannot be found.", kind, name)}
}

// put keeps a principal. The caller holds s.mu.
func (s *store) put(p *principal) error {
	next := maps.Clone(s.all)
	next[p.ARN] = p
	return s.replace(next)
}

func (s *store) replace(next map[string]*principal) error {
	if err := keep.Save(s.path, next); err != nil {
		return fmt.Errorf("keep roles: %w", err)
	}
	s.all = next
	return nil
}

// roles are those of an account, by name. The caller holds s.mu.
func (s *store) roles(account, path string) []*principal {
	var list []*principal
	for arn, p := range s.all {
		if strings.HasPrefix(arn, "arn:aws:iam::"+account+":role/") && strings.HasPrefix(p.Path, path) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *principal) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (s *store) account(ctx context.Context) string { return s.opts.Account(wire.From(ctx).AccessKey) }

// newID is an identifier as IAM makes them: a prefix that tells the kind, and letters and digits.
func newID(prefix string) string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails
	return prefix + base32.StdEncoding.EncodeToString(b)[:17]
}
