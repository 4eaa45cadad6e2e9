// Package awserr says what errors of AWS mean to the callers of a backend: it
// gives those of the SDK one of the kinds of package backend and a short text. It
// calls nothing.
package awserr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// kinds says what an error code of the Lambda API means to a caller. A code
// that is not here is a fault of ours or of AWS.
var kinds = map[string]error{
	"ResourceNotFoundException":            backend.ErrNotFound,
	"ResourceConflictException":            backend.ErrConflict,
	"PreconditionFailedException":          backend.ErrConflict,
	"TooManyRequestsException":             backend.ErrThrottled,
	"ThrottlingException":                  backend.ErrThrottled,
	"EC2ThrottledException":                backend.ErrThrottled,
	"RequestTooLargeException":             backend.ErrTooLarge,
	"RequestEntityTooLargeException":       backend.ErrTooLarge,
	"InvalidParameterValueException":       backend.ErrInvalid,
	"InvalidRequestContentException":       backend.ErrInvalid,
	"InvalidZipFileException":              backend.ErrInvalid,
	"InvalidRuntimeException":              backend.ErrInvalid,
	"ValidationException":                  backend.ErrInvalid,
	"CodeStorageExceededException":         backend.ErrInvalid,
	"CodeVerificationFailedException":      backend.ErrInvalid,
	"UnsupportedMediaTypeException":        backend.ErrInvalid,
	"ResourceNotReadyException":            backend.ErrUnavailable,
	"ServiceException":                     backend.ErrUnavailable,
	"ServiceUnavailableException":          backend.ErrUnavailable,
	"ENILimitReachedException":             backend.ErrUnavailable,
	"SnapStartNotReadyException":           backend.ErrUnavailable,
	"RecursiveInvocationException":         backend.ErrInvalid,
	"InvalidRequestException":              backend.ErrInvalid, // of Secrets Manager
	"InvalidParameterException":            backend.ErrInvalid, // of CloudWatch Logs and Secrets Manager
	"MalformedPolicyDocument":              backend.ErrInvalid, // of IAM
	"LimitExceeded":                        backend.ErrInvalid, // of IAM: roles of the account, size of a policy
	"ConcurrentModification":               backend.ErrConflict,
	"ServiceFailure":                       backend.ErrUnavailable,
	"ParameterNotFound":                    backend.ErrNotFound,
	"Throttling":                           backend.ErrThrottled,
	"SubnetIPAddressLimitReachedException": backend.ErrUnavailable,
}

// Kind returns what AWS's code means: one of backend's errors, or nil when it says
// nothing to a caller.
func Kind(code string) error { return kinds[code] }

// Wrap gives an error of the SDK its kind; nil stays nil. The text keeps AWS's own
// words, code and request id, after what was being done. A throttled call is a
// *backend.Throttled with the time that AWS asked for, and an error without an
// answer is backend.ErrUnreachable where no connection was made.
func Wrap(doing string, err error) error {
	var api smithy.APIError
	var unsent *smithyhttp.RequestSendError // of the SDK: no answer came
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", doing, err)
	case errors.Is(err, context.DeadlineExceeded):
		return backend.Errorf(backend.ErrTimeout, "%s: %w", doing, err)
	case !errors.As(err, &api):
		if NotSent(err) {
			return backend.Errorf(backend.ErrUnreachable, "%s: reach AWS: %w", doing, err)
		}
		if errors.As(err, &unsent) {
			return backend.Errorf(backend.ErrUnavailable, "%s: %w", doing, err)
		}
		return fmt.Errorf("%s: %w", doing, err)
	}
	text := refusedError{fmt.Sprintf("%s: %s (%s)", doing, api.ErrorMessage(), api.ErrorCode()), api}
	var id interface{ ServiceRequestID() string }
	if errors.As(err, &id) && id.ServiceRequestID() != "" {
		text.text = fmt.Sprintf("%s: %s (%s, request %s)", doing, api.ErrorMessage(), api.ErrorCode(), id.ServiceRequestID())
	}
	kind, known := kinds[api.ErrorCode()]
	switch {
	case !known && api.ErrorFault() == smithy.FaultServer:
		return backend.As(backend.ErrUnavailable, text)
	case !known:
		return text
	case kind == backend.ErrThrottled:
		return &backend.Throttled{After: throttledFor(err), Err: text}
	}
	return backend.As(kind, text)
}

// refusedError is an error of AWS in short: the SDK's own text tells of HTTP.
type refusedError struct {
	text string
	api  smithy.APIError
}

func (e refusedError) Error() string { return e.text }
func (e refusedError) Unwrap() error { return e.api }

// Code returns AWS's code for an error; empty when it is not AWS's.
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// Label returns what metrics call an error by: AWS's code, or a word for one that is not
// AWS's; empty for nil.
func Label(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return "Canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "DeadlineExceeded"
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return "ConnectionFailed"
}

func throttledFor(err error) time.Duration {
	var asked interface{ RetryAfter() time.Duration }
	if errors.As(err, &asked) {
		return asked.RetryAfter()
	}
	var throttled *types.TooManyRequestsException
	if errors.As(err, &throttled) && throttled.RetryAfterSeconds != nil {
		if n, err := strconv.Atoi(*throttled.RetryAfterSeconds); err == nil && n > 0 {
			return time.Duration(n) * time.Second
		}
	}
	return 0
}

// Status tells whether AWS answered with that HTTP status.
func Status(err error, status int) bool {
	var answer *awshttp.ResponseError
	return errors.As(err, &answer) && answer.HTTPStatusCode() == status
}

// NotSent tells whether err is that of a connection that was never made.
func NotSent(err error) bool {
	var failed *net.OpError
	return errors.As(err, &failed) && failed.Op == "dial"
}
