package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/openfaas/faas-provider/types"
)

// orphans looks for what nobody uses.
func (c *cloud) orphans(ctx context.Context, fc faultCase, serves string, list []types.FunctionStatus) error {
	objects, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: awssdk.String("faas-lambda-" + account + "-" + region), Prefix: awssdk.String("records/" + fc.name.Function + "/")})
	if err != nil && !strings.Contains(err.Error(), "NoSuchBucket") {
		return err
	}
	if err := c.inItsRole(ctx, fc, serves); err != nil {
		return err
	}
	if serves == "" {
		if len(list) != 0 {
			return fmt.Errorf("%d functions are listed, and none serves", len(list))
		}
		if objects != nil && len(objects.Contents) > 0 {
			return fmt.Errorf("%d records in S3 are left", len(objects.Contents))
		}
		_, err := c.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &fc.name.Function})
		if err == nil {
			return errors.New("the function is left, and does not serve")
		}
		return c.connected(ctx, fc, "")
	}
	if err := c.connected(ctx, fc, serves); err != nil {
		return err
	}
	if len(list) != 1 || list[0].EnvVars["GENERATION"] != serves || (*list[0].Annotations)["generation"] != serves || list[0].EnvProcess != fc.process(serves) {
		return fmt.Errorf("the list says %+v", list)
	}
	now, err := c.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &fc.name.Function})
	if err != nil {
		return err
	}
	if v := now.Configuration.Environment.Variables["GENERATION"]; v != serves {
		return fmt.Errorf("the unpublished configuration is of %q", v)
	}
	if now.Tags["faas-lambda:pending"] != "" {
		return fmt.Errorf("it is marked as %q", now.Tags["faas-lambda:pending"])
	}
	wantReserved := map[string]int32{"older": 3, "old": 4, "new": 5}[serves]
	if list[0].Replicas == 0 {
		wantReserved = 0
	}
	if now.Concurrency == nil || *now.Concurrency.ReservedConcurrentExecutions != wantReserved {
		return fmt.Errorf("reserved concurrency is %+v, want %d", now.Concurrency, wantReserved)
	}
	versions, err := c.lambda.ListVersionsByFunction(ctx, &lambda.ListVersionsByFunctionInput{FunctionName: &fc.name.Function})
	if err != nil {
		return err
	}
	kept := map[string]bool{"$LATEST": true}
	for _, v := range versions.Versions {
		generation := v.Environment.Variables["GENERATION"]
		if *v.Version != "$LATEST" && kept[generation] {
			return fmt.Errorf("two versions of %s are left", generation)
		}
		if *v.Version != "$LATEST" {
			kept[generation] = true
		}
	}
	if serves == "old" && kept["new"] {
		return errors.New("a version of the deployment that was given up is left")
	}
	return nil
}
