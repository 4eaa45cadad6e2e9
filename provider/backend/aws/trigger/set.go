package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// Clients are those of one account and region by which triggers are made.
type Clients struct {
	Lambda    *lambda.Client
	S3        *s3.Client
	SNS       *sns.Client
	Events    *eventbridge.Client
	AccountID func(context.Context) (string, error) // the account's twelve digits; called where a bucket is a source
}

// Attachment is a function, the triggers that it is to have, and those that it
// may have.
type Attachment struct {
	Clients
	Name     backend.Name
	Function string // what it is called in Lambda
	ARN      string // of the function, unqualified
	Alias    string // of what serves, which the triggers invoke
	Want     []Trigger
	Had      [][]Trigger   // of each deployment that it may be of; none: nothing yet
	Late     bool          // what serves is what is wanted: what it does not need may go
	Unsure   bool          // it may have any: Had does not say all
	Patience time.Duration // how long to repeat what Lambda refuses because a mapping is being changed
}

// aliasARN is the ARN that triggers invoke: of what serves.
func (at Attachment) aliasARN() string { return at.ARN + ":" + at.Alias }

// Set makes the triggers that are missing and, when it is late, removes those
// that are not wanted. What there is says AWS, so that what another tool removed
// comes back; only whether it has to be asked at all say Want and Had. An error
// names the function, and the annotation whose trigger cannot be made; it is
// backend.ErrInvalid where the source is not there. Set may be repeated after an
// error, and called by two at once.
func Set(ctx context.Context, at Attachment) error {
	for _, set := range []func(context.Context, Attachment) error{setMappings, setPushes, setURL} {
		if err := set(ctx, at); err != nil {
			return kindOfRefusal(fmt.Errorf("set triggers of function %s: %w", at.Name, err))
		}
	}
	return nil
}

// kindOfRefusal gives an error its kind: a source that is not there is a bad
// annotation, and must not look like a function that is not there.
func kindOfRefusal(err error) error {
	switch awserr.Code(err) {
	case "NoSuchBucket", "InvalidArgument", "InvalidParameter", "NotFound", "ResourceNotFoundException":
		return backend.Errorf(backend.ErrInvalid, "%v", err)
	}
	return err
}

// refused names the annotation that wants a trigger which cannot be made.
func (t Trigger) refused(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("annotation %s%s: %w", AnnotationPrefix, t.Kind, err)
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
func (at Attachment) wanted(is func(Trigger) bool) []Trigger {
	return slices.DeleteFunc(slices.Clone(at.Want), func(t Trigger) bool { return !is(t) })
}

// concerns tells whether a trigger of which is true is wanted, or may be there.
func (at Attachment) concerns(is func(Trigger) bool) bool {
	if at.Unsure || slices.ContainsFunc(at.Want, is) {
		return true
	}
	return slices.ContainsFunc(at.Had, func(had []Trigger) bool { return slices.ContainsFunc(had, is) })
}

// unchanged tells whether all that the function may have includes that trigger.
func (at Attachment) unchanged(t Trigger) bool {
	return !slices.ContainsFunc(at.Had, func(had []Trigger) bool {
		return !slices.ContainsFunc(had, func(o Trigger) bool { return o.sid("") == t.sid("") })
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

// pusher is a service that invokes functions by itself, and needs a permission
// to. connect may find what it makes already there, disconnect may find it gone.
type pusher struct {
	principal  string
	source     func(at Attachment, t Trigger, sid string) string // ARN
	connect    func(ctx context.Context, at Attachment, t Trigger, sid string) error
	disconnect func(ctx context.Context, at Attachment, sid, source string) error
}

var pushers = map[string]pusher{
	"s3":       {"s3.amazonaws.com", bucketARN, connectBucket, disconnectBucket},
	"sns":      {"sns.amazonaws.com", func(_ Attachment, t Trigger, _ string) string { return t.Source }, connectTopic, disconnectTopic},
	"schedule": {"events.amazonaws.com", ruleARN, connectRule, disconnectRule},
}

func pushed(t Trigger) bool { return pushers[t.Kind].principal != "" }

// setPushes makes and removes what invokes the function by itself. The
// permission is there first and goes last, and so tells what there is.
func setPushes(ctx context.Context, at Attachment) error {
	if !at.concerns(pushed) {
		return nil
	}
	there, err := at.permissions(ctx)
	if err != nil {
		return err
	}
	wanted, topics := map[string]bool{}, map[string]bool{}
	for _, t := range at.wanted(pushed) {
		sid, with := t.sid(at.Function), pushers[t.Kind]
		wanted[sid] = true
		if t.Kind == "sns" {
			topics[t.Source] = true
		}
		if at.Late {
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
	if !at.Late {
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
