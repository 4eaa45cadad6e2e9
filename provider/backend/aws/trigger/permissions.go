package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// statement is a permission in a function's policy.
type statement struct {
	Sid       string
	Condition map[string]map[string]string
}

// source is the ARN of what may invoke the function.
func (s statement) source() string {
	for _, condition := range s.Condition {
		for key, value := range condition {
			if strings.EqualFold(key, "AWS:SourceArn") {
				return value
			}
		}
	}
	return ""
}

// permissions returns the statements for our triggers in the policy of what
// serves, by their ids.
func (at Attachment) permissions(ctx context.Context) (map[string]statement, error) {
	out, err := at.Lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: &at.Function, Qualifier: &at.Alias})
	var none *lambdatypes.ResourceNotFoundException
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, awserr.Wrap("read policy", err)
	}
	return parsePolicy(aws.ToString(out.Policy))
}

func parsePolicy(text string) (map[string]statement, error) {
	var policy struct{ Statement []json.RawMessage }
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return nil, fmt.Errorf("decode policy: %w", err)
	}
	ours := map[string]statement{}
	for _, raw := range policy.Statement {
		var s statement
		// Others' statements may have conditions of other forms.
		if err := json.Unmarshal(raw, &s); err == nil && kindOf(s.Sid) != "" {
			ours[s.Sid] = s
		}
	}
	return ours, nil
}

// allow lets the service of a trigger invoke the function on behalf of its
// source.
func (at Attachment) allow(ctx context.Context, t Trigger, sid string) error {
	with := pushers[t.Kind]
	in := &lambda.AddPermissionInput{
		FunctionName: &at.Function, Qualifier: &at.Alias, StatementId: &sid, Action: aws.String("lambda:InvokeFunction"),
		Principal: &with.principal, SourceArn: aws.String(with.source(at, t, sid)),
	}
	if t.Kind == "s3" { // the ARN of a bucket names no account
		account, err := at.AccountID(ctx)
		if err != nil {
			return err
		}
		in.SourceAccount = &account
	}
	return at.permit(ctx, in)
}

func (at Attachment) permit(ctx context.Context, in *lambda.AddPermissionInput) error {
	_, err := at.Lambda.AddPermission(ctx, in)
	if awserr.Code(err) == "ResourceConflictException" { // the statement is there: of an attempt whose answer was lost
		return nil
	}
	return awserr.Wrap("permit "+aws.ToString(in.Principal)+" to invoke", err)
}

func (at Attachment) forbid(ctx context.Context, sid string) error {
	_, err := at.Lambda.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: &at.Function, Qualifier: &at.Alias, StatementId: &sid})
	var gone *lambdatypes.ResourceNotFoundException
	if errors.As(err, &gone) {
		return nil
	}
	return awserr.Wrap("remove permission "+sid, err)
}
