package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// functionError is how an invocation failed, as its caller sees it: status 200, X-Amz-Function-Error: Unhandled, and a document.
type functionError struct {
	kind     string // errorType
	document []byte
	status   string // for REPORT
}

const unhandled = "Unhandled"

// errorDocument words an error of the platform.
func errorDocument(kind, message string) []byte {
	data, err := json.Marshal(struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}{kind, message})
	if err != nil {
		return nil // two strings always encode
	}
	return data
}

// describe words a sandbox's failure as Lambda does. nil means that err is no failure of the function.
func describe(err error, requestID string, timeout time.Duration) *functionError {
	var f *sandbox.Failure
	if !errors.As(err, &f) {
		return nil
	}
	platform := func(kind, status, message string) *functionError {
		return &functionError{kind: kind, status: status, document: errorDocument(kind, message)}
	}
	prefix := "RequestId: " + requestID + " Error: "
	switch f.Kind {
	case sandbox.Posted:
		if !json.Valid(f.Payload) {
			return &functionError{kind: f.Type, status: "error", document: errorDocument(f.Type, string(f.Payload))}
		}
		return &functionError{kind: f.Type, status: "error", document: f.Payload}
	case sandbox.TimedOut:
		return platform("Sandbox.Timedout", "timeout", prefix+timedOut(timeout))
	case sandbox.TooLarge:
		return platform("Function.ResponseSizeTooLarge", "error", responseTooLarge)
	case sandbox.NoEntry:
		return platform("Runtime.InvalidEntrypoint", "error", prefix+f.Entry)
	case sandbox.NoDir:
		return platform("Runtime.InvalidWorkingDir", "error", prefix+f.Entry)
	case sandbox.Extension:
		return platform(f.Type, "error", prefix+f.Status)
	default:
		return platform("Runtime.ExitError", "error", prefix+exited(f.Status))
	}
}

var responseTooLarge = fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", sandbox.MaxResponse)

func timedOut(timeout time.Duration) string {
	return fmt.Sprintf("Task timed out after %.2f seconds", timeout.Seconds())
}

func exited(status string) string {
	if status == "exit status 0" {
		return "Runtime exited without providing a reason"
	}
	return "Runtime exited with error: " + status
}

// customRuntime tells the runtimes whose program comes with the code; the emulator has no other.
func customRuntime(name string) bool { return strings.HasPrefix(name, "provided") }

func managedRuntime(name, requestID string) *functionError {
	const kind = "Runtime.InvalidEntrypoint"
	return &functionError{kind: kind, status: "error", document: errorDocument(kind, "RequestId: "+requestID+" Error: the emulator runs "+
		"custom runtimes only (provided.al2023, provided.al2), not "+name)}
}
