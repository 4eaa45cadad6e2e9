package ecr

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const account = "123456789012"

// cloud is ECR with its registry at one address, as clients find it.
type cloud struct {
	*ecr.Client
	host    string
	mounted atomic.Int64
}

// serve opens the store in dir and serves it.
func serve(t *testing.T, dir string, now func() time.Time) *cloud {
	t.Helper()
	store, err := Open(Options{Dir: dir, Account: account, Region: "eu-central-1", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{}
	api, registry := store.API(), store.Guarded()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/") {
			answer := &statusWriter{ResponseWriter: w}
			registry.ServeHTTP(answer, r)
			if r.URL.Query().Get("mount") != "" && answer.status == http.StatusCreated {
				c.mounted.Add(1)
			}
			return
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	c.host = strings.TrimPrefix(s.URL, "http://")
	c.Client = ecr.New(ecr.Options{BaseEndpoint: &s.URL, Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
	return c
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// create makes a repository and returns its URI.
func (c *cloud) create(t *testing.T, repository string) string {
	t.Helper()
	out, err := c.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &repository})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Repository.RepositoryUri
}

// login returns what docker login would send.
func (c *cloud) login(t *testing.T) authn.Authenticator {
	t.Helper()
	out, err := c.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	user, password, ok := strings.Cut(string(token), ":")
	if err != nil || !ok || user != "AWS" {
		t.Fatalf("token %q, %v", token, err)
	}
	return &authn.Basic{Username: user, Password: password}
}

func push(t *testing.T, uri string, img v1.Image, auth authn.Authenticator) error {
	t.Helper()
	tag, err := name.NewTag(uri)
	if err != nil {
		t.Fatal(err)
	}
	return remote.Write(tag, img, remote.WithContext(t.Context()), remote.WithAuth(auth))
}

func newImage(t *testing.T) (v1.Image, v1.Hash) {
	t.Helper()
	img, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return img, digest
}

func TestImagesArePushedAndPulled(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, dir, nil)
	uri := c.create(t, "team/functions")
	if want := c.host + "/team/functions"; uri != want {
		t.Errorf("repository at %s, want %s", uri, want)
	}
	img, digest := newImage(t)
	if err := push(t, uri+":one", img, c.login(t)); err != nil {
		t.Fatal(err)
	}
	again := serve(t, dir, nil) // as after a restart
	ref, err := name.ParseReference(again.host + "/team/functions@" + digest.String())
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(ref, remote.WithAuth(again.login(t)))
	if err != nil {
		t.Fatal(err)
	}
	list, err := pulled.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil { // checks the digest
			t.Error(err)
		}
		_ = r.Close()
	}
	described, err := again.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String("team/functions")})
	if err != nil || len(described.ImageDetails) != 1 || *described.ImageDetails[0].ImageDigest != digest.String() || !slices.Equal(described.ImageDetails[0].ImageTags, []string{"one"}) {
		t.Errorf("%+v, %v", described, err)
	}
	got, err := again.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String("team/functions"), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("one")}, {ImageTag: aws.String("two")}}})
	if err != nil || len(got.Images) != 1 || len(got.Failures) != 1 || !strings.Contains(*got.Images[0].ImageManifest, "layers") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLayersAreMountedFromOtherRepositories(t *testing.T) {
	c := serve(t, t.TempDir(), nil)
	auth := c.login(t)
	img, _ := newImage(t)
	from, to := c.create(t, "from"), c.create(t, "to")
	if err := push(t, from+":1", img, auth); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(from + ":1")
	if err != nil {
		t.Fatal(err)
	}
	there, err := remote.Image(ref, remote.WithAuth(auth)) // whose layers know where they are
	if err != nil {
		t.Fatal(err)
	}
	if err := push(t, to+":1", there, auth); err != nil {
		t.Fatal(err)
	}
	if n := c.mounted.Load(); n < 2 {
		t.Errorf("%d blobs were mounted", n)
	}
}

func TestRegistryRefuses(t *testing.T) {
	var later atomic.Int64 // read by the server while the test is already further on
	c := serve(t, t.TempDir(), func() time.Time { return time.Now().Add(time.Duration(later.Load())) })
	img, _ := newImage(t)
	uri := c.create(t, "there")
	auth := c.login(t)
	for what, try := range map[string]struct {
		uri    string
		auth   authn.Authenticator
		status int
	}{
		"no login":           {uri, authn.Anonymous, http.StatusUnauthorized},
		"wrong password":     {uri, &authn.Basic{Username: "AWS", Password: "guess"}, http.StatusUnauthorized},
		"no such repository": {c.host + "/other", auth, http.StatusNotFound},
	} {
		var answer *transport.Error
		if err := push(t, try.uri+":1", img, try.auth); !errors.As(err, &answer) || answer.StatusCode != try.status {
			t.Errorf("%s: %v", what, err)
		}
	}
	later.Store(int64(13 * time.Hour)) // a token is good for twelve
	var answer *transport.Error
	if err := push(t, uri+":1", img, auth); !errors.As(err, &answer) || answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("an old token: %v", err)
	}
}

func TestRepositories(t *testing.T) {
	c := serve(t, t.TempDir(), nil)
	uri := c.create(t, "one")
	c.create(t, "two")
	img, digest := newImage(t)
	if err := push(t, uri+":1", img, c.login(t)); err != nil {
		t.Fatal(err)
	}
	one, rules := aws.String("one"), aws.String(`{"rules":[{"rulePriority":1}]}`)
	if _, err := c.PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: one, LifecyclePolicyText: rules}); err != nil {
		t.Error(err)
	}
	if out, err := c.GetLifecyclePolicy(t.Context(), &ecr.GetLifecyclePolicyInput{RepositoryName: one}); err != nil || *out.LifecyclePolicyText != *rules {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := c.SetRepositoryPolicy(t.Context(), &ecr.SetRepositoryPolicyInput{RepositoryName: one, PolicyText: aws.String(`{}`)}); err != nil {
		t.Error(err)
	}
	if out, err := c.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil || len(out.Repositories) != 2 {
		t.Errorf("%+v, %v", out, err)
	}
	for want, call := range map[string]func() error{
		"RepositoryAlreadyExistsException": func() error {
			_, err := c.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: one})
			return err
		},
		"RepositoryNotFoundException": func() error {
			_, err := c.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"none"}})
			return err
		},
		"RepositoryNotEmptyException": func() error {
			_, err := c.DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: one})
			return err
		},
		"LifecyclePolicyNotFoundException": func() error {
			_, err := c.GetLifecyclePolicy(t.Context(), &ecr.GetLifecyclePolicyInput{RepositoryName: aws.String("two")})
			return err
		},
		"ImageNotFoundException": func() error {
			_, err := c.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: one, ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("2")}}})
			return err
		},
		"InvalidParameterException": func() error {
			_, err := c.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("UPPER")})
			return err
		},
	} {
		var refused smithy.APIError
		if err := call(); !errors.As(err, &refused) || refused.ErrorCode() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	gone, err := c.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: one, ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: aws.String(digest.String())}}})
	if err != nil || len(gone.ImageIds) == 0 || len(gone.Failures) != 0 {
		t.Errorf("%+v, %v", gone, err)
	}
	if _, err := c.DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: one}); err != nil {
		t.Error(err)
	}
}

// FuzzPath checks that no path of the registry leads out of its directory.
func FuzzPath(f *testing.F) {
	f.Add("/v2/a/b/manifests/latest")
	f.Add("/v2/aa/blobs/sha256:" + strings.Repeat("0", 64))
	f.Add("/v2/aa/blobs/uploads/../../x")
	f.Fuzz(func(t *testing.T, path string) {
		name, kind, reference, ok := parsePath(path)
		if !ok {
			return
		}
		if !validName(name) || strings.Contains(reference, "/") || kind == "" {
			t.Errorf("%q: %q %q %q", path, name, kind, reference)
		}
	})
}
