package trigger

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

func isURL(t Trigger) bool { return t.Kind == "url" }

// setURL makes, changes and removes the URL of what serves. One that everybody
// may call needs two permissions (docs.aws.amazon.com/lambda, "Control access to
// Lambda function URLs").
func setURL(ctx context.Context, at Attachment) error {
	if !at.concerns(isURL) {
		return nil
	}
	wanted := at.wanted(isURL)
	if len(wanted) == 0 {
		if !at.Late {
			return nil
		}
		return left(at.removeURL(ctx))
	}
	t := wanted[0]
	if at.Late {
		return nil
	}
	auth, mode, cors := lambdatypes.FunctionUrlAuthType(t.Source), lambdatypes.InvokeModeBuffered, &lambdatypes.Cors{}
	if m := t.Options["mode"]; m != "" {
		mode = lambdatypes.InvokeMode(m)
	}
	if origins := strings.Fields(t.Options["cors-origins"]); len(origins) > 0 {
		cors = &lambdatypes.Cors{AllowOrigins: origins, AllowMethods: []string{"*"}, AllowHeaders: []string{"*"}}
	}
	if err := at.setURLPermissions(ctx, auth); err != nil {
		return err
	}
	_, err := at.Lambda.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: &at.Function, Qualifier: &at.Alias, AuthType: auth, InvokeMode: mode, Cors: cors})
	if awserr.Code(err) == "ResourceConflictException" {
		_, err = at.Lambda.UpdateFunctionUrlConfig(ctx, &lambda.UpdateFunctionUrlConfigInput{FunctionName: &at.Function, Qualifier: &at.Alias, AuthType: auth, InvokeMode: mode, Cors: cors})
	}
	return t.refused(awserr.Wrap("make the function's URL", err))
}

// The statements that let everybody call the URL.
const (
	urlStatement    = sidPrefix + "url-call"
	urlRunStatement = sidPrefix + "url-invoke"
)

func (at Attachment) setURLPermissions(ctx context.Context, auth lambdatypes.FunctionUrlAuthType) error {
	if auth != lambdatypes.FunctionUrlAuthTypeNone {
		return errors.Join(at.forbid(ctx, urlStatement), at.forbid(ctx, urlRunStatement))
	}
	err := at.permit(ctx, &lambda.AddPermissionInput{
		FunctionName: &at.Function, Qualifier: &at.Alias, StatementId: aws.String(urlStatement),
		Action: aws.String("lambda:InvokeFunctionUrl"), Principal: aws.String("*"), FunctionUrlAuthType: auth,
	})
	if err != nil {
		return err
	}
	return at.permit(ctx, &lambda.AddPermissionInput{
		FunctionName: &at.Function, Qualifier: &at.Alias, StatementId: aws.String(urlRunStatement),
		Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("*"), InvokedViaFunctionUrl: aws.Bool(true),
	})
}

func (at Attachment) removeURL(ctx context.Context) error {
	_, err := at.Lambda.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: &at.Function, Qualifier: &at.Alias})
	var gone *lambdatypes.ResourceNotFoundException
	if err != nil && !errors.As(err, &gone) {
		return awserr.Wrap("remove the function's URL", err)
	}
	return errors.Join(at.forbid(ctx, urlStatement), at.forbid(ctx, urlRunStatement))
}
