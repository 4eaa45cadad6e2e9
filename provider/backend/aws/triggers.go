package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// alias is the ARN that triggers invoke: of what serves.
func (at attachment) alias() string { return at.arn + ":" + liveAlias }

// setTriggers makes the triggers that are missing and, when it is late, removes
// those that are not wanted. What there is says AWS, so that what another tool
// removed comes back; only whether it has to be asked at all say the records.
func (b *Backend) setTriggers(ctx context.Context, at attachment) error {
	for _, set := range []func(context.Context, attachment) error{b.setMappings, b.setPushes, b.setURL} {
		if err := set(ctx, at); err != nil {
			return refusedTrigger(fmt.Errorf("set triggers of function %s: %w", at.name, err))
		}
	}
	return nil
}

// refusedTrigger gives an error its kind: a source that is not there is a bad
// annotation, and must not look like a function that is not there.
func refusedTrigger(err error) error {
	switch awserr.Code(err) {
	case "NoSuchBucket", "InvalidArgument", "InvalidParameter", "NotFound", "ResourceNotFoundException":
		return backend.Errorf(backend.ErrInvalid, "%v", err)
	}
	return err
}

// left is the error of what could not be removed. Whatever AWS says of the
// request, no annotation is to blame, and it is there still: it is tried again.
func left(err error) error {
	if errors.Is(err, backend.ErrInvalid) {
		return fmt.Errorf("%v", err) //nolint:errorlint // its kind is what must go
	}
	return err
}

// wanted returns the wanted triggers of which is true.
func (at attachment) wanted(is func(trigger) bool) []trigger {
	return slices.DeleteFunc(slices.Clone(at.want.triggers), func(t trigger) bool { return !is(t) })
}

// concerns tells whether a trigger of which is true is wanted, or may be there.
func (at attachment) concerns(is func(trigger) bool) bool {
	if at.unsure || slices.ContainsFunc(at.want.triggers, is) {
		return true
	}
	return slices.ContainsFunc(at.had, func(b belongings) bool { return slices.ContainsFunc(b.triggers, is) })
}

// unchanged tells whether all that the function may have includes that trigger.
func (at attachment) unchanged(t trigger) bool {
	return !slices.ContainsFunc(at.had, func(b belongings) bool {
		return !slices.ContainsFunc(b.triggers, func(o trigger) bool { return o.sid("") == t.sid("") })
	})
}

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
func (at attachment) permissions(ctx context.Context) (map[string]statement, error) {
	out, err := at.account.lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: &at.function, Qualifier: aws.String(liveAlias)})
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
func (at attachment) allow(ctx context.Context, t trigger, sid string) error {
	with := pushers[t.kind]
	in := &lambda.AddPermissionInput{
		FunctionName: &at.function, Qualifier: aws.String(liveAlias), StatementId: &sid, Action: aws.String("lambda:InvokeFunction"),
		Principal: &with.principal, SourceArn: aws.String(with.source(at, t, sid)),
	}
	if t.kind == "s3" { // the ARN of a bucket names no account
		account, err := at.account.accountID(ctx)
		if err != nil {
			return err
		}
		in.SourceAccount = &account
	}
	return at.permit(ctx, in)
}

func (at attachment) permit(ctx context.Context, in *lambda.AddPermissionInput) error {
	_, err := at.account.lambda.AddPermission(ctx, in)
	if awserr.Code(err) == "ResourceConflictException" { // the statement is there: of an attempt whose answer was lost
		return nil
	}
	return awserr.Wrap("permit "+aws.ToString(in.Principal)+" to invoke", err)
}

func (at attachment) forbid(ctx context.Context, sid string) error {
	_, err := at.account.lambda.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: &at.function, Qualifier: aws.String(liveAlias), StatementId: &sid})
	var gone *lambdatypes.ResourceNotFoundException
	if errors.As(err, &gone) {
		return nil
	}
	return awserr.Wrap("remove permission "+sid, err)
}

// pusher is a service that invokes functions by itself, and needs a permission
// to. connect may find what it makes already there, disconnect may find it gone.
type pusher struct {
	principal  string
	source     func(at attachment, t trigger, sid string) string // ARN
	connect    func(ctx context.Context, at attachment, t trigger, sid string) error
	disconnect func(ctx context.Context, at attachment, sid, source string) error
}

var pushers = map[string]pusher{
	"s3":       {"s3.amazonaws.com", bucketARN, connectBucket, disconnectBucket},
	"sns":      {"sns.amazonaws.com", func(_ attachment, t trigger, _ string) string { return t.source }, connectTopic, disconnectTopic},
	"schedule": {"events.amazonaws.com", ruleARN, connectRule, disconnectRule},
}

func pushed(t trigger) bool { return pushers[t.kind].principal != "" }

// setPushes makes and removes what invokes the function by itself. The
// permission is there first and goes last, and so tells what there is.
func (b *Backend) setPushes(ctx context.Context, at attachment) error {
	if !at.concerns(pushed) {
		return nil
	}
	there, err := at.permissions(ctx)
	if err != nil {
		return err
	}
	wanted, topics := map[string]bool{}, map[string]bool{}
	for _, t := range at.wanted(pushed) {
		sid, with := t.sid(at.function), pushers[t.kind]
		wanted[sid] = true
		if t.kind == "sns" {
			topics[t.source] = true
		}
		if at.late {
			continue
		}
		if _, ok := there[sid]; !ok {
			if err := at.allow(ctx, t, sid); err != nil {
				return t.refused(err)
			}
		}
		if err := with.connect(ctx, at, t, sid); err != nil {
			return t.refused(err)
		}
	}
	if !at.late {
		return nil
	}
	for sid, s := range there {
		with, ok := pushers[kindOf(sid)]
		if !ok || wanted[sid] {
			continue
		}
		// A topic has one subscription of a function, whatever its options.
		if !topics[s.source()] {
			if err := with.disconnect(ctx, at, sid, s.source()); err != nil {
				return left(err)
			}
		}
		if err := at.forbid(ctx, sid); err != nil {
			return left(err)
		}
	}
	return nil
}
