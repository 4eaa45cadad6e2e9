package roles

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
)

// settling is how long IAM may take to show a role or its policy to Lambda:
// seconds, as a rule (docs.aws.amazon.com/IAM, "Changes that I make are not always
// immediately visible").
const settling = time.Minute

// WhenSettled does what Lambda refuses as long as IAM does not show it the role, or
// what the role may do: again and again, for a minute and no longer than within. Before
// each attempt, prepare sees to it that the role is there. The error is the last one.
func WhenSettled(ctx context.Context, within time.Duration, prepare, do func(context.Context) error) error {
	until := time.Now().Add(min(settling, within))
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := prepare(ctx)
		if err == nil {
			err = do(ctx)
		}
		if !unsettled(err) || !time.Now().Add(wait).Before(until) {
			return err
		}
		if pauseErr := clock.Pause(ctx, wait); pauseErr != nil {
			return errors.Join(err, pauseErr)
		}
	}
}

// unsettled tells that IAM itself does not see the role yet, and Lambda's
// refusal of one that it does not see, or whose policy it does not see (recorded:
// "The role defined for the function cannot be assumed by Lambda.", "The provided
// execution role does not have permissions to call …"), and a function that may not
// read its secrets.
func unsettled(err error) bool {
	var failed *backend.FunctionError
	if errors.As(err, &failed) {
		return strings.Contains(failed.Message, "AccessDenied")
	}
	return isGone(err) || awserr.Code(err) == "InvalidParameterValueException" &&
		(strings.Contains(err.Error(), "cannot be assumed by Lambda") || strings.Contains(err.Error(), "execution role does not have permissions"))
}
