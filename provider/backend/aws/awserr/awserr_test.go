package awserr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func TestWrap(t *testing.T) {
	answered := func(status int, err error) error {
		return &awshttp.ResponseError{RequestID: "r-1", ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: err,
		}}
	}
	for name, test := range map[string]struct {
		err  error
		kind error // nil: none of backend's
		text string
	}{
		"known":           {answered(404, &types.ResourceNotFoundException{Message: aws.String("no such function")}), backend.ErrNotFound, "get f: no such function (ResourceNotFoundException, request r-1)"},
		"without request": {&smithy.GenericAPIError{Code: "ValidationException", Message: "too long"}, backend.ErrInvalid, "get f: too long (ValidationException)"},
		"fault of AWS":    {&smithy.GenericAPIError{Code: "Novel", Message: "oh", Fault: smithy.FaultServer}, backend.ErrUnavailable, "get f: oh (Novel)"},
		"unknown":         {&smithy.GenericAPIError{Code: "Novel", Message: "oh", Fault: smithy.FaultClient}, nil, "get f: oh (Novel)"},
		"not sent":        {&smithyhttp.RequestSendError{Err: &net.OpError{Op: "dial", Err: errors.New("refused")}}, backend.ErrUnreachable, "get f: reach AWS: "},
		"cut off":         {&smithyhttp.RequestSendError{Err: &net.OpError{Op: "read", Err: errors.New("reset")}}, backend.ErrUnavailable, "get f: "},
		"too late":        {fmt.Errorf("wait: %w", context.DeadlineExceeded), backend.ErrTimeout, "get f: wait: "},
		"given up":        {context.Canceled, context.Canceled, "get f: "},
	} {
		err := Wrap("get f", test.err)
		if !strings.HasPrefix(err.Error(), test.text) || !errors.Is(err, test.err) && Code(err) != Code(test.err) {
			t.Errorf("%s: %v", name, err)
		}
		for _, kind := range []error{backend.ErrNotFound, backend.ErrInvalid, backend.ErrUnavailable, backend.ErrUnreachable, backend.ErrTimeout, context.Canceled} {
			if errors.Is(err, kind) != (kind == test.kind) {
				t.Errorf("%s: %v is %v: %t", name, err, kind, kind != test.kind)
			}
		}
	}
	if err := Wrap("get f", nil); err != nil {
		t.Errorf("nothing became %v", err)
	}
}

func TestLabel(t *testing.T) {
	for want, err := range map[string]error{
		"":                          nil,
		"Canceled":                  fmt.Errorf("get f: %w", context.Canceled),
		"DeadlineExceeded":          context.DeadlineExceeded,
		"ResourceNotFoundException": Wrap("get f", &types.ResourceNotFoundException{}),
		"ConnectionFailed":          errors.New("reset"),
	} {
		if got := Label(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

type patient struct{ smithy.GenericAPIError }

func (*patient) RetryAfter() time.Duration { return 3 * time.Second }

func TestThrottled(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		after time.Duration
	}{
		"in the exception": {&types.TooManyRequestsException{RetryAfterSeconds: aws.String("7")}, 7 * time.Second},
		"by a method":      {&patient{smithy.GenericAPIError{Code: "TooManyRequestsException"}}, 3 * time.Second},
		"not a number":     {&types.TooManyRequestsException{RetryAfterSeconds: aws.String("soon")}, 0},
		"without":          {&smithy.GenericAPIError{Code: "ThrottlingException"}, 0},
	} {
		var throttled *backend.Throttled
		if err := Wrap("get f", test.err); !errors.As(err, &throttled) || throttled.After != test.after || !errors.Is(err, backend.ErrThrottled) {
			t.Errorf("%s: %v after %v, want %v", name, err, throttled, test.after)
		}
	}
}
