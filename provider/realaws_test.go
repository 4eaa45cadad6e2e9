//go:build aws

// The conformance suite on real AWS: make test-aws. It costs little, is never
// run by CI, and needs credentials and a role for functions.

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/backend/backendtest"
)

// cleaning is how long removing what the suite made may take.
const cleaning = 5 * time.Minute

// TestBackendOnAWS runs the suite with the caller's credentials, region and
// role, under names that nothing else has, and removes all that it made.
func TestBackendOnAWS(t *testing.T) {
	cfg, account := realAWS(t)
	run := strings.ToLower(rand.Text()[:8])
	made := build(t)
	bucket(t, cfg, account)
	t.Logf("account %s, region %s, role %s: functions named bt-%s-*", account, cfg.Region, os.Getenv("lambda_execution_role"), run)
	backendtest.Run(t, func(t *testing.T) backendtest.Subject {
		namespace, prefix := "bt-"+run, "bt-"+run+"-"
		functions, err := aws.Open(t.Context(), aws.Options{
			Namespace: namespace, Role: os.Getenv("lambda_execution_role"), Arch: runtime.GOARCH, Memory: 256, Timeout: time.Minute,
			DeployTimeout: 5 * time.Minute, Region: cfg.Region, Packager: made.packager(),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), cleaning)
			defer cancel()
			if err := errors.Join(removeAll(ctx, functions, namespace, prefix), forgetLogs(ctx, cfg, prefix)); err != nil {
				t.Errorf("clean up: %v: look for what is named %s*", err, prefix)
			}
		})
		return backendtest.Subject{Backend: functions, Namespace: namespace, Prefix: prefix, Image: made.image, Must: awsMust}
	})
}

// realAWS says what is missing, and otherwise whose account it is.
func realAWS(t *testing.T) (awssdk.Config, string) {
	t.Helper()
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatalf("read AWS configuration: %v", err)
	}
	if cfg.Region == "" {
		t.Fatal("no region: set AWS_REGION")
	}
	if os.Getenv("lambda_execution_role") == "" {
		t.Fatal("no role: set lambda_execution_role to managed, or to the ARN of one that Lambda may assume (faas-lambda iam --trust) with the policy of faas-lambda iam --functions")
	}
	if _, err := cfg.Credentials.Retrieve(t.Context()); err != nil {
		t.Fatalf("no credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: %v", err)
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatalf("the credentials are not valid, or AWS cannot be reached: %v", err)
	}
	return cfg, awssdk.ToString(who.Account)
}

// removeAll removes what a case left: functions, namespaces and secrets.
func removeAll(ctx context.Context, b *aws.Backend, namespace, prefix string) error {
	names, err := b.Namespaces(ctx)
	errs := []error{err}
	for _, of := range names {
		if of != namespace && !strings.HasPrefix(of, prefix) {
			continue // somebody else's
		}
		functions, err := b.List(ctx, of)
		errs = append(errs, err)
		for _, f := range functions {
			errs = append(errs, b.Delete(ctx, backend.Name{Namespace: of, Function: f.Name}))
		}
		secrets, err := b.Secrets(ctx, of)
		errs = append(errs, err)
		for _, s := range secrets {
			errs = append(errs, b.DeleteSecret(ctx, of, s.Name))
		}
		if of != namespace {
			errs = append(errs, b.DeleteNamespace(ctx, of))
		}
	}
	return errors.Join(errs...)
}

// forgetLogs removes the log groups that Lambda made for functions.
func forgetLogs(ctx context.Context, cfg awssdk.Config, prefix string) error {
	client := cloudwatchlogs.NewFromConfig(cfg)
	var errs []error
	for _, start := range []string{"/aws/lambda/" + prefix, "/aws/lambda/" + prefix + "team-a_"} { // as functions of other namespaces are called
		groups := cloudwatchlogs.NewDescribeLogGroupsPaginator(client, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &start})
		for groups.HasMorePages() {
			page, err := groups.NextPage(ctx)
			if err != nil {
				return errors.Join(append(errs, err)...)
			}
			for _, g := range page.LogGroups {
				_, err := client.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: g.LogGroupName})
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// bucket sees to it that the provider's bucket, if it is not there before, is not
// there afterwards.
func bucket(t *testing.T, cfg awssdk.Config, account string) {
	t.Helper()
	name := "faas-lambda-" + account + "-" + cfg.Region
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = os.Getenv("AWS_ENDPOINT_URL") != "" })
	if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &name}); err == nil {
		return
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), cleaning)
		defer cancel()
		var missing *s3types.NoSuchBucket
		objects := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &name})
		for objects.HasMorePages() {
			page, err := objects.NextPage(ctx)
			if errors.As(err, &missing) {
				return // nothing needed it
			}
			if err != nil {
				t.Errorf("clean up bucket %s: %v", name, err)
				return
			}
			for _, o := range page.Contents {
				if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &name, Key: o.Key}); err != nil {
					t.Errorf("clean up bucket %s: %v", name, err)
				}
			}
		}
		if _, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name}); err != nil {
			t.Errorf("clean up bucket %s: %v", name, err)
		}
	})
}
