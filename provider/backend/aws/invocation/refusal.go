package invocation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// refusal is an error that Lambda answered with. It is a smithy.APIError.
type refusal struct {
	status        int
	code, message string
	requestID     string
	after         time.Duration // zero when the answer does not say
	at            time.Time     // AWS's clock; zero when the answer does not say
}

var _ smithy.APIError = (*refusal)(nil)

func (e *refusal) Error() string            { return e.code + ": " + e.message }
func (e *refusal) ErrorCode() string        { return e.code }
func (e *refusal) ErrorMessage() string     { return e.message }
func (e *refusal) ServiceRequestID() string { return e.requestID }

// RetryAfter is for awserr.
func (e *refusal) RetryAfter() time.Duration { return e.after }

func (e *refusal) ErrorFault() smithy.ErrorFault {
	if e.status >= http.StatusInternalServerError {
		return smithy.FaultServer
	}
	return smithy.FaultClient
}

// maxRefusal bounds what is read of an error's body.
const maxRefusal = 64 << 10

// readError reads an error's answer and closes it.
func readError(answer *http.Response) error {
	defer answer.Body.Close()
	e := &refusal{status: answer.StatusCode, requestID: answer.Header.Get(requestID)}
	e.at, _ = http.ParseTime(answer.Header.Get("Date"))
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	if err != nil {
		return fmt.Errorf("read an answer with status %d: %w", answer.StatusCode, err)
	}
	// Both spellings of message are in use (recorded on the real service).
	// encoding/json takes either for one field.
	var in struct {
		Message string
		Code    string `json:"__type"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		in.Message = strings.TrimSpace(string(data[:min(len(data), 512)]))
	}
	e.message = in.Message
	e.code, _, _ = strings.Cut(answer.Header.Get("X-Amzn-Errortype"), ":")
	if e.code == "" {
		e.code = in.Code[strings.LastIndexByte(in.Code, '#')+1:]
	}
	if e.code == "" {
		e.code = "HTTP" + strconv.Itoa(e.status)
		if e.status == http.StatusTooManyRequests {
			e.code = "TooManyRequestsException"
		}
	}
	if n, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && n > 0 {
		e.after = time.Duration(n) * time.Second
	}
	return e
}

// notReady are the codes of a function that will soon take invocations: it is being
// made or restored, and nothing has run (docs.aws.amazon.com/lambda, "Lambda function
// states").
var notReady = map[string]bool{
	"ResourceConflictException":  true, // Pending or Inactive
	"ResourceNotReadyException":  true, // Inactive, with a VPC
	"SnapStartNotReadyException": true,
	"SnapStartTimeoutException":  true,
}

// NotReady tells whether Lambda refused an invocation because its function cannot take
// any yet.
func NotReady(err error) bool {
	var refused *refusal
	return errors.As(err, &refused) && notReady[refused.code]
}
