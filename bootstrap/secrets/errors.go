package secrets

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// apiError is AWS's refusal.
type apiError struct {
	status  int
	code    string
	message string // one line, "" for none
}

func (e *apiError) Error() string {
	text := fmt.Sprintf("%s (status %d)", e.code, e.status)
	if e.message != "" {
		text += ": " + e.message
	}
	return text
}

// maxMessage is how much of AWS's words are told.
const maxMessage = 512

// readError reads an answer that is no success. A message is told up to its
// first line's end: after that, a signature that does not match is answered with
// the request, session token included.
func readError(a response, c credentials) *apiError {
	var got struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // or Message: encoding/json takes both
	}
	_ = json.Unmarshal(a.body, &got) // a proxy's page has no code
	code := a.header.Get("X-Amzn-ErrorType")
	if got.Type != "" {
		code = got.Type
	}
	_, after, found := strings.Cut(code, "#")
	if found {
		code = after
	}
	code, _, _ = strings.Cut(code, ":")
	if code == "" || len(code) > 128 || strings.ContainsFunc(code, func(r rune) bool { return r <= ' ' || r > '~' }) {
		code = http.StatusText(a.status)
	}
	message, _, _ := strings.Cut(got.Message, "\n")
	for _, hidden := range []string{c.token, c.key} {
		if hidden != "" {
			message = strings.ReplaceAll(message, hidden, "…")
		}
	}
	message = strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(message[:min(len(message), maxMessage)], ""))
	return &apiError{status: a.status, code: code, message: message}
}

// temporary says whether the same request may succeed later: no answer at all,
// an answer of the server's fault, or throttling, which AWS's services answer
// with status 400 and one of these codes (the list of the SDKs).
func temporary(err error) bool {
	if errors.Is(err, ErrInvalid) || errors.Is(err, errNoValue) {
		return false
	}
	var e *apiError
	if !errors.As(err, &e) {
		return true
	}
	switch e.code {
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "TooManyRequestsException",
		"RequestLimitExceeded", "LimitExceededException", "ProvisionedThroughputExceededException", "RequestTimeout", "RequestTimeoutException",
		"PriorRequestNotComplete", "SlowDown", "TransactionInProgressException", "BandwidthLimitExceeded",
		"InternalServiceError", "InternalServerError", "InternalFailure", "ServiceUnavailable":
		return true
	}
	return e.status >= http.StatusInternalServerError || e.status == http.StatusTooManyRequests
}
