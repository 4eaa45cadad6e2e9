package aws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tagtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"golang.org/x/sync/errgroup"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
)

// snapshot is all functions of an account.
type snapshot struct {
	configs []lambdatypes.FunctionConfiguration
	at      time.Time                    // when AWS said so, by its clock
	tags    map[string]map[string]string // by ARN
	calls   int                          // that it took
	most    time.Duration                // for which it may be kept
}

func (a *account) snapshot(ctx context.Context, log *slog.Logger) (snapshot, error) {
	s, tagCalls := snapshot{most: maxFreshness}, 0
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error { return s.readConfigs(both, a) })
	group.Go(func() (err error) {
		s.tags, tagCalls, err = a.indexedTags(both, log)
		return err
	})
	err := group.Wait()
	if err == nil && s.tags == nil { // there is no index
		s.most = maxUnindexed
		s.tags, err = a.readTags(ctx, s.configs)
		tagCalls += len(s.configs)
	}
	s.calls += tagCalls
	return s, err
}

func (s *snapshot) readConfigs(ctx context.Context, a *account) error {
	pages := lambda.NewListFunctionsPaginator(a.lambda, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return awserr.Wrap("list functions", err)
		}
		if s.calls++; s.at.IsZero() {
			s.at = clock.At(page.ResultMetadata)
		}
		s.configs = append(s.configs, page.Functions...)
	}
	return nil
}

// indexedTags returns the tags of functions that are ours or adopted, by ARN,
// from the index of tags, and how many calls it took. It returns nil where there
// is no index, or it may not be read.
func (a *account) indexedTags(ctx context.Context, log *slog.Logger) (map[string]map[string]string, int, error) {
	tags, calls := map[string]map[string]string{}, 0
	for _, key := range []string{tagService, tagAdopt} {
		pages := resourcegroupstaggingapi.NewGetResourcesPaginator(a.tagging, &resourcegroupstaggingapi.GetResourcesInput{
			ResourceTypeFilters: []string{"lambda:function"}, TagFilters: []tagtypes.TagFilter{{Key: &key}}, ResourcesPerPage: aws.Int32(100),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			calls++
			if noIndex[awserr.Code(err)] {
				a.unindexed.Do(func() {
					log.Warn("functions' tags are read one by one, which takes a call each: allow tag:GetResources", "error", err)
				})
				return nil, calls, nil
			}
			if err != nil {
				return nil, calls, awserr.Wrap("list tags of functions", err)
			}
			for _, resource := range page.ResourceTagMappingList {
				of := make(map[string]string, len(resource.Tags))
				for _, tag := range resource.Tags {
					of[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
				}
				tags[aws.ToString(resource.ResourceARN)] = of
			}
		}
	}
	return tags, calls, nil
}

// noIndex are the codes of an account where the index of tags may not be read:
// each function's tags can be.
var noIndex = map[string]bool{
	"AccessDeniedException": true, "AccessDenied": true, "UnauthorizedOperation": true,
	"UnknownOperationException": true, "InvalidAction": true, "ResourceNotFoundException": true, "NotFound": true,
}

// readers is how many ListTags are under way at a time.
const readers = 8

// readTags reads the tags of functions one by one.
func (a *account) readTags(ctx context.Context, configs []lambdatypes.FunctionConfiguration) (map[string]map[string]string, error) {
	all := make([]map[string]string, len(configs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, config := range configs {
		group.Go(func() error {
			out, err := a.lambda.ListTags(ctx, &lambda.ListTagsInput{Resource: config.FunctionArn})
			var missing *lambdatypes.ResourceNotFoundException
			if errors.As(err, &missing) {
				return nil // deleted meanwhile, so without tags and not ours
			}
			if err != nil {
				return awserr.Wrap("read tags of function "+aws.ToString(config.FunctionName), err)
			}
			all[i] = out.Tags
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("list functions: %w", err)
	}
	tags := make(map[string]map[string]string, len(configs))
	for i, config := range configs {
		tags[aws.ToString(config.FunctionArn)] = all[i]
	}
	return tags, nil
}
