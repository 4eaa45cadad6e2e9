package roles

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func TestWhatLambdaRefusesForTheRoleIsRepeated(t *testing.T) {
	hidden := &smithy.GenericAPIError{Code: "InvalidParameterValueException", Message: "The role defined for the function cannot be assumed by Lambda."}
	other := &smithy.GenericAPIError{Code: "InvalidParameterValueException", Message: "no such runtime"}
	for _, c := range []struct {
		name   string
		errs   []error // of each attempt; none after them
		within time.Duration
		fails  error
		most   time.Duration
	}{
		{"shown at once", nil, time.Hour, nil, 0},
		{"shown later", []error{hidden, hidden, hidden}, time.Hour, nil, 2 * time.Second},
		{"its policy later", []error{&backend.FunctionError{Type: "x", Message: "AccessDeniedException: no"}}, time.Hour, nil, time.Second},
		{"the role later", []error{&smithy.GenericAPIError{Code: "NoSuchEntity"}}, time.Hour, nil, time.Second},
		{"another reason", []error{other}, time.Hour, other, 0},
		{"never", always(hidden), time.Hour, hidden, time.Minute},
		{"not within", always(hidden), 3 * time.Second, hidden, 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin, prepared, done := time.Now(), 0, 0
				prepare := func(context.Context) error { prepared++; return nil }
				err := WhenSettled(t.Context(), c.within, prepare, func(context.Context) error {
					done++
					if done <= len(c.errs) {
						return c.errs[done-1]
					}
					return nil
				})
				if !errors.Is(err, c.fails) || time.Since(begin) > c.most {
					t.Errorf("after %s: %v", time.Since(begin), err)
				}
				if done != prepared || c.fails == nil && done != len(c.errs)+1 {
					t.Errorf("%d attempts, prepared %d times", done, prepared)
				}
			})
		})
	}
}

func always(err error) []error {
	all := make([]error, 1000)
	for i := range all {
		all[i] = err
	}
	return all
}
