package trigger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
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
