package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// apiError is an error answer. Its words are AWS's, recorded from the real service wherever a recording exists.
type apiError struct {
	status  int
	code    string
	message string
	reason  string // of a throttle
	plain   bool   // answered before the service proper: without Type
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func invalidParameter(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "InvalidParameterValueException", message: fmt.Sprintf(format, args...)}
}

func validation(problems []string) *apiError {
	plural := ""
	if len(problems) > 1 {
		plural = "s"
	}
	message := fmt.Sprintf("%d validation error%s detected: %s", len(problems), plural, strings.Join(problems, "; "))
	return &apiError{status: http.StatusBadRequest, code: "ValidationException", message: message, plain: true}
}

func notFound(format string, args ...any) *apiError {
	return &apiError{status: http.StatusNotFound, code: "ResourceNotFoundException", message: fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) *apiError {
	return &apiError{status: http.StatusConflict, code: "ResourceConflictException", message: fmt.Sprintf(format, args...)}
}

func tooLarge(format string, args ...any) *apiError {
	message := fmt.Sprintf(format, args...)
	return &apiError{status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLargeException", message: message, plain: true}
}

func preconditionFailed() *apiError {
	return &apiError{status: http.StatusPreconditionFailed, code: "PreconditionFailedException", message: "The Revision Id provided does not " +
		"match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"}
}

func throttled(reason string) *apiError {
	return &apiError{status: http.StatusTooManyRequests, code: "TooManyRequestsException", message: "Rate Exceeded.", reason: reason}
}

// serviceError is for what is the emulator's fault.
func serviceError(err error) *apiError {
	return &apiError{status: http.StatusInternalServerError, code: "ServiceException", message: err.Error()}
}

func unknownOperation(r *http.Request) *apiError {
	what := r.Method + " " + r.URL.Path
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		what = target
	}
	return &apiError{status: http.StatusNotFound, code: "UnknownOperationException", message: "The emulator does not know " + what, plain: true}
}

// upperMessage tells which errors carry their text in Message; all others use message.
func (e *apiError) upperMessage() bool {
	switch e.code {
	case "ResourceNotFoundException", "ServiceException", "AccessDeniedException", "RequestEntityTooLargeException", "RequestTooLargeException",
		"CodeSigningConfigNotFoundException":
		return true
	}
	return false
}

func writeError(w http.ResponseWriter, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = serviceError(err)
	}
	body := map[string]any{}
	key := "message"
	if e.upperMessage() {
		key = "Message"
	}
	body[key] = e.message
	if e.code == "AccessDeniedException" && e.message == "" {
		body[key] = nil
	}
	switch {
	case e.plain:
	case e.status >= http.StatusInternalServerError:
		body["Type"] = "Service"
	default:
		body["Type"] = "User"
	}
	if e.reason != "" {
		body["Reason"] = e.reason
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("x-amzn-ErrorType", e.code)
	writeJSON(w, e.status, body)
}

// writeJSON answers; nothing can be done about a client that is gone.
func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"Type":"Service"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
