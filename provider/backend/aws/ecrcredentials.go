package aws

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// ecrHost are the names of private registries in ECR, of all partitions, with
// FIPS and dual-stack ones (docs.aws.amazon.com/general, "Amazon ECR endpoints
// and quotas"; docs.aws.amazon.com/AmazonECR, "Getting started with making
// requests over IPv6"): account and region.
var ecrHost = regexp.MustCompile(`^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)$`)

// tokenRest is how long before its end a token is no longer used: reading an
// image's layers takes a while.
const tokenRest = time.Hour

// ECRCredentials are what images in ECR are read with: tokens that AWS gives
// whoever this program is there. A token is good for twelve hours and is asked
// for when the first image of its region is read.
type ECRCredentials struct {
	// Config returns how AWS is reached in a region; nil means as the environment says.
	Config func(ctx context.Context, region string) (aws.Config, error)

	mu     sync.Mutex // held while a token is asked for
	tokens map[string]ecrToken
}

type ecrToken struct {
	user, password string
	until          time.Time
}

// For returns user name and password for a registry; both are empty when it is
// none of ECR's.
func (e *ECRCredentials) For(ctx context.Context, registry string) (user, password string, err error) {
	host := ecrHost.FindStringSubmatch(registry)
	if host == nil {
		return "", "", nil
	}
	region := host[2]
	e.mu.Lock()
	defer e.mu.Unlock()
	t, ok := e.tokens[region]
	if !ok || time.Until(t.until) < tokenRest {
		if t, err = e.ask(ctx, region); err != nil {
			return "", "", fmt.Errorf("ask AWS for a token for %s: %w", registry, err)
		}
		if e.tokens == nil {
			e.tokens = map[string]ecrToken{}
		}
		e.tokens[region] = t
	}
	return t.user, t.password, nil
}

// regionConfig is the configuration of whoever this program is, in a region.
func regionConfig(ctx context.Context, region string) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	return cfg, nil
}

// ask asks for a token. One is good for every registry of the region that its
// owner may read, other accounts' too.
func (e *ECRCredentials) ask(ctx context.Context, region string) (ecrToken, error) {
	load := e.Config
	if load == nil {
		load = regionConfig
	}
	cfg, err := load(ctx, region)
	if err != nil {
		return ecrToken{}, err
	}
	out, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return ecrToken{}, err
	}
	if len(out.AuthorizationData) == 0 {
		return ecrToken{}, errors.New("the answer has none")
	}
	data := out.AuthorizationData[0]
	token, err := base64.StdEncoding.DecodeString(aws.ToString(data.AuthorizationToken))
	user, password, ok := strings.Cut(string(token), ":")
	if err != nil || !ok {
		return ecrToken{}, errors.New("the answer is not of the form user:password in base64")
	}
	return ecrToken{user, password, aws.ToTime(data.ExpiresAt)}, nil
}
