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
