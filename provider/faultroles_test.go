package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// inItsRole checks that the generation that serves has the role that it needs, and
// no more, and a function that is gone none.
func (c *cloud) inItsRole(ctx context.Context, fc faultCase, serves string) error {
	if !fc.managed {
		return nil
	}
	client := iam.NewFromConfig(c.config())
	var role string
	pages := iam.NewListRolesPaginator(client, &iam.ListRolesInput{PathPrefix: awssdk.String("/faas-lambda/" + region + "/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.Roles {
			if strings.HasPrefix(*r.RoleName, fc.name.Function+".") {
				role = *r.RoleName
			}
		}
	}
	if serves == "" || role == "" {
		if serves == "" && role != "" {
			return fmt.Errorf("role %s is left", role)
		}
		if serves != "" {
			return fmt.Errorf("it has no role")
		}
		return nil
	}
	policy, err := client.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: awssdk.String("faas-lambda")})
	if err != nil {
		return err
	}
	text, err := url.PathUnescape(*policy.PolicyDocument)
	if err != nil {
		return err
	}
	for _, generation := range []string{"older", "old", "new"} {
		if may := strings.Contains(text, `"`+queueOf(generation)+`"`); may != (generation == serves) {
			return fmt.Errorf("its role allows what %s needs: %t", generation, may)
		}
	}
	return nil
}
