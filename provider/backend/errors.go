package backend

import (
	"errors"
	"fmt"
	"time"
)

// The kinds of error that a caller tells apart with errors.Is. An error of no
// kind is a fault of the provider or of what lies behind it.
var (
	ErrInvalid     = errors.New("invalid request")         // what was asked for can never work
	ErrNotFound    = errors.New("not found")               // the function does not exist
	ErrExists      = errors.New("already exists")          //
	ErrConflict    = errors.New("conflict")                // another change is under way, or the name is taken
	ErrTooLarge    = errors.New("too large")               // a body or a package is over a limit of the platform
	ErrThrottled   = errors.New("too many requests")       // nothing was done; asking again later is right
	ErrTimeout     = errors.New("timed out")               // the function, or a step of a deployment, took too long
	ErrUnavailable = errors.New("temporarily unavailable") // something behind the backend does not answer
	ErrUnreachable = errors.New("unreachable")             // the platform cannot be reached at all, and nothing was sent to it
	ErrUnsupported = errors.New("not supported")           // the backend lacks the ability
)

// kindError is an error whose text does not repeat its kind.
type kindError struct {
	kind error
	err  error
}

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

// Errorf returns an error of a kind. Its text is the formatted one alone.
func Errorf(kind error, format string, args ...any) error {
	return &kindError{kind: kind, err: fmt.Errorf(format, args...)}
}

// As returns err as one of a kind, its text unchanged; nil stays nil.
func As(kind, err error) error {
	if err == nil {
		return nil
	}
	return &kindError{kind: kind, err: err}
}

// NotFound returns the error for a function that does not exist.
func NotFound(name Name) error {
	return Errorf(ErrNotFound, "function %s not found", name)
}

// FunctionError says that the function was reached and failed: it crashed,
// could not start, or reported an error by itself.
type FunctionError struct {
	Type    string // as the platform names it, such as Runtime.ExitError
	Message string
}

func (e *FunctionError) Error() string {
	switch {
	case e.Type == "":
		return e.Message
	case e.Message == "":
		return e.Type
	}
	return e.Type + ": " + e.Message
}

// Throttled is an ErrThrottled that knows when to ask again.
type Throttled struct {
	After time.Duration // zero when the platform does not say
	Err   error
}

func (e *Throttled) Error() string   { return e.Err.Error() }
func (e *Throttled) Unwrap() []error { return []error{ErrThrottled, e.Err} }

// notBegun is an error of an invocation that no function has seen.
type notBegun struct{ error }

func (e notBegun) Unwrap() error { return e.error }

// AsNotBegun returns err as one of which NotBegun is true, its text unchanged.
func AsNotBegun(err error) error {
	if err == nil {
		return nil
	}
	return notBegun{err}
}

// NotBegun tells whether err means that no function has seen the invocation, so
// that it may be sent somewhere else: it was throttled or refused as too large,
// or nothing was sent.
func NotBegun(err error) bool {
	var known notBegun
	return errors.As(err, &known) || errors.Is(err, ErrThrottled) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrUnreachable)
}

// NotBegunHeader is a header that, with the value "true", marks an answer that says so over HTTP,
// where the status code alone does not.
const NotBegunHeader = "X-Faas-Lambda-Not-Begun"

// InternalHeader marks an answer to an invocation that no function made. It is
// faas-provider's (its proxy writes it), and so OpenFaaS' gateway knows it.
const InternalHeader = "X-OpenFaaS-Internal"
