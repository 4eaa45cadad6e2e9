package aws

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/faas-lambda/faas-lambda/layers/push"
	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// DefaultImageRepository is the repository in ECR of the images that functions
// are made of, when nothing else is configured. All functions share it, so that
// no layer is uploaded twice.
const DefaultImageRepository = "faas-lambda"

// Images are tagged by their digest as long as they may be needed; what has no
// tag is left of a push that failed.
const untaggedPolicy = `{"rules":[{"rulePriority":1,"description":"what pushes that failed left behind","selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}`

// repositories are where images are pushed, one an account and region.
type repositories struct {
	mu    sync.Mutex // held while one is asked for
	known map[*account]registry
}

// registry is a repository in ECR, and a password for it.
type registry struct {
	uri, password string
	until         time.Time // the password's end
}

// destination returns the repository that the images of an account's functions
// are pushed to, and how. One in ECR is made when it is missing.
func (b *Backend) destination(ctx context.Context, a *account) (push.Destination, error) {
	name := b.opts.ImageRepository
	if name == "" {
		name = DefaultImageRepository
	}
	if external(name) {
		return b.opts.Packager.Destination(ctx, name)
	}
	b.repositories.mu.Lock()
	defer b.repositories.mu.Unlock()
	r, ok := b.repositories.known[a]
	if !ok || time.Until(r.until) < time.Hour {
		var err error
		if r, err = a.repository(ctx, name); err != nil {
			return push.Destination{}, err
		}
		if b.repositories.known == nil {
			b.repositories.known = map[*account]registry{}
		}
		b.repositories.known[a] = r
	}
	return push.Destination{Repository: r.uri, User: "AWS", Password: r.password}, nil
}

// external tells a repository of any registry, host/name, from one in ECR.
func external(repository string) bool {
	host, _, ok := strings.Cut(repository, "/")
	return ok && (strings.ContainsAny(host, ".:") || host == "localhost")
}

// repository returns a repository in ECR and a password for its registry.
func (a *account) repository(ctx context.Context, name string) (registry, error) {
	uri, err := a.ensureRepository(ctx, name)
	if err != nil {
		return registry{}, err
	}
	out, err := a.ecr.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return registry{}, awserr.Wrap("ask for a token for ECR", err)
	}
	if len(out.AuthorizationData) == 0 {
		return registry{}, errors.New("ask for a token for ECR: AWS answered without one")
	}
	token, err := base64.StdEncoding.DecodeString(aws.ToString(out.AuthorizationData[0].AuthorizationToken))
	_, password, ok := strings.Cut(string(token), ":")
	if err != nil || !ok {
		return registry{}, errors.New("ask for a token for ECR: the answer is not of the form user:password in base64")
	}
	return registry{uri, password, aws.ToTime(out.AuthorizationData[0].ExpiresAt)}, nil
}

func (a *account) ensureRepository(ctx context.Context, name string) (uri string, err error) {
	doing := "find ECR repository " + name
	out, err := a.ecr.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{name}})
	var missing *ecrtypes.RepositoryNotFoundException
	switch {
	case err == nil && len(out.Repositories) == 1:
		return aws.ToString(out.Repositories[0].RepositoryUri), nil
	case err == nil:
		return "", errors.New(doing + ": AWS answered without it")
	case !errors.As(err, &missing):
		return "", awserr.Wrap(doing, err)
	}
	made, err := a.ecr.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &name})
	var meanwhile *ecrtypes.RepositoryAlreadyExistsException
	if errors.As(err, &meanwhile) {
		return a.ensureRepository(ctx, name)
	}
	if err != nil {
		return "", awserr.Wrap("make ECR repository "+name, err)
	}
	if _, err := a.ecr.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: &name, LifecyclePolicyText: aws.String(untaggedPolicy)}); err != nil {
		return "", awserr.Wrap("set lifecycle policy of ECR repository "+name, err)
	}
	policy, err := a.pullPolicy(ctx)
	if err != nil {
		return "", err
	}
	if _, err := a.ecr.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: &name, PolicyText: &policy}); err != nil {
		return "", awserr.Wrap("set policy of ECR repository "+name, err)
	}
	return aws.ToString(made.Repository.RepositoryUri), nil
}

// pullPolicy lets Lambda read images for the account's functions
// (docs.aws.amazon.com/lambda, "Amazon ECR permissions").
func (a *account) pullPolicy(ctx context.Context) (string, error) {
	id, err := a.accountID(ctx)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Sid": "LambdaECRImageRetrievalPolicy", "Effect": "Allow", "Principal": map[string]string{"Service": "lambda.amazonaws.com"},
		"Action":    []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
		"Condition": map[string]any{"StringLike": map[string]string{"aws:sourceArn": "arn:aws:lambda:" + a.config.Region + ":" + id + ":function:*"}},
	}}})
	return string(text), err
}

// shipImage pushes the image of a package and says where it is.
func (b *Backend) shipImage(ctx context.Context, a *account, spec packaging.Spec, pkg packaging.Package) (uri, digest string, err error) {
	to, err := b.destination(ctx, a)
	if err != nil {
		return "", "", err
	}
	digest, err = b.opts.Packager.Push(ctx, spec, pkg, to)
	switch {
	case errors.Is(err, push.ErrDenied):
		return "", "", fmt.Errorf("%w: check the credentials for %s", err, to.Repository)
	case errors.Is(err, packaging.ErrChanged):
		return "", "", backend.As(backend.ErrConflict, err)
	case err != nil:
		return "", "", err
	}
	return to.Repository + "@" + digest, digest, nil
}
