package aws

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

func isURL(t trigger) bool { return t.kind == "url" }

// setURL makes, changes and removes the URL of what serves. One that everybody
// may call needs two permissions (docs.aws.amazon.com/lambda, "Control access to
// Lambda function URLs").
func (b *Backend) setURL(ctx context.Context, at attachment) error {
	if !at.concerns(isURL) {
		return nil
	}
	wanted := at.wanted(isURL)
	if len(wanted) == 0 {
		if !at.late {
			return nil
		}
		return left(at.removeURL(ctx))
	}
	t := wanted[0]
	if at.late {
		return nil
	}
	auth, mode, cors := lambdatypes.FunctionUrlAuthType(t.source), lambdatypes.InvokeModeBuffered, &lambdatypes.Cors{}
	if m := t.options["mode"]; m != "" {
		mode = lambdatypes.InvokeMode(m)
	}
	if origins := strings.Fields(t.options["cors-origins"]); len(origins) > 0 {
		cors = &lambdatypes.Cors{AllowOrigins: origins, AllowMethods: []string{"*"}, AllowHeaders: []string{"*"}}
	}
	if err := at.setURLPermissions(ctx, auth); err != nil {
		return err
	}
	_, err := at.account.lambda.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: &at.function, Qualifier: aws.String(liveAlias), AuthType: auth, InvokeMode: mode, Cors: cors})
	if awserr.Code(err) == "ResourceConflictException" {
		_, err = at.account.lambda.UpdateFunctionUrlConfig(ctx, &lambda.UpdateFunctionUrlConfigInput{FunctionName: &at.function, Qualifier: aws.String(liveAlias), AuthType: auth, InvokeMode: mode, Cors: cors})
	}
	return t.refused(awserr.Wrap("make the function's URL", err))
}

// The statements that let everybody call the URL.
const (
	urlStatement    = sidPrefix + "url-call"
	urlRunStatement = sidPrefix + "url-invoke"
)

func (at attachment) setURLPermissions(ctx context.Context, auth lambdatypes.FunctionUrlAuthType) error {
	if auth != lambdatypes.FunctionUrlAuthTypeNone {
		return errors.Join(at.forbid(ctx, urlStatement), at.forbid(ctx, urlRunStatement))
	}
	err := at.permit(ctx, &lambda.AddPermissionInput{
		FunctionName: &at.function, Qualifier: aws.String(liveAlias), StatementId: aws.String(urlStatement),
		Action: aws.String("lambda:InvokeFunctionUrl"), Principal: aws.String("*"), FunctionUrlAuthType: auth,
	})
	if err != nil {
		return err
	}
	return at.permit(ctx, &lambda.AddPermissionInput{
		FunctionName: &at.function, Qualifier: aws.String(liveAlias), StatementId: aws.String(urlRunStatement),
		Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("*"), InvokedViaFunctionUrl: aws.Bool(true),
	})
}

func (at attachment) removeURL(ctx context.Context) error {
	_, err := at.account.lambda.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: &at.function, Qualifier: aws.String(liveAlias)})
	var gone *lambdatypes.ResourceNotFoundException
	if err != nil && !errors.As(err, &gone) {
		return awserr.Wrap("remove the function's URL", err)
	}
	return errors.Join(at.forbid(ctx, urlStatement), at.forbid(ctx, urlRunStatement))
}
