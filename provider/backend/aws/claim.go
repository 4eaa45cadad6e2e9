package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// stage claims a function and gives $LATEST its new configuration. Nobody
// invokes that.
func (c *change) stage(ctx context.Context) error {
	return c.configure(ctx, resetting(c.marked(c.plan.configuration(c.code)), c.current.config))
}

// configure claims a function and gives $LATEST a configuration. Its role, where
// that is managed, is changed by who has claimed it, and before the configuration,
// of which Lambda checks whether the role allows it.
func (c *change) configure(ctx context.Context, in *lambda.UpdateFunctionConfigurationInput) error {
	if c.latest.Managed == nil {
		return c.claim(ctx, in)
	}
	if err := c.claim(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: in.FunctionName, Description: in.Description}); err != nil {
		return err
	}
	in.RevisionId = &c.revision
	err := c.asRole(ctx, func(ctx context.Context) error {
		_, err := c.account.lambda.UpdateFunctionConfiguration(ctx, in)
		if err != nil && !c.configured(ctx, err) {
			return c.lost(awserr.Wrap("update function "+c.plan.name.String(), err))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.settle(ctx, "")
}

// configured tells whether a configuration is there although the request for it
// was answered with err.
func (c *change) configured(ctx context.Context, err error) bool {
	if !repeated[awserr.Code(err)] {
		return false
	}
	out, err := c.account.read(ctx, c.plan.function, "")
	return err == nil && markOf(*out.Configuration) == c.mark && variables(*out.Configuration)[deploymentVariable] == c.digest
}

// claim changes the configuration of $LATEST from the one that was read.
func (c *change) claim(ctx context.Context, in *lambda.UpdateFunctionConfigurationInput) error {
	if c.current.config.PackageType != "" && c.code.packageType != "" && c.current.config.PackageType != c.code.packageType {
		return backend.Errorf(backend.ErrInvalid, "update function %s: it is a function of type %s, and Lambda makes no %s of it: delete it first, or keep the type by the annotation %spackage",
			c.plan.name, c.current.config.PackageType, c.code.packageType, annotations.Prefix)
	}
	in.RevisionId = c.current.config.RevisionId
	_, err := c.account.lambda.UpdateFunctionConfiguration(ctx, in)
	if err != nil && !c.claimed(ctx, err) {
		return c.lost(awserr.Wrap("update function "+c.plan.name.String(), err))
	}
	return c.settle(ctx, "")
}
