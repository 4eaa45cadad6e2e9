package lambda

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

func wantThrottle(t *testing.T, err error, reason types.ThrottleReason) {
	t.Helper()
	lambdatest.WantError(t, err, "TooManyRequestsException", "Rate Exceeded.")
	var throttle *types.TooManyRequestsException
	if !errors.As(err, &throttle) || throttle.Reason != reason || aws.ToString(throttle.RetryAfterSeconds) != "1" {
		t.Errorf("throttle = %+v, want reason %s", throttle, reason)
	}
}

func TestReservedConcurrency(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	const refused = "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100]."
	lambdatest.WantError(t, h.Reserve("f", 901), "InvalidParameterValueException", refused)
	lambdatest.WantError(t, h.Reserve("doesnotexist", 1), "ResourceNotFoundException", "Function not found: "+lambdatest.ARN+"doesnotexist:$LATEST")
	lambdatest.WantError(t, h.Reserve(lambdatest.ARN+"f:$LATEST", 1), "InvalidParameterValueException", "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.")
	if err := h.Reserve("f", 900); err != nil {
		t.Fatal(err)
	}
	settings, err := h.Lambda.GetAccountSettings(t.Context(), nil)
	if err != nil || *settings.AccountLimit.UnreservedConcurrentExecutions != 100 || settings.AccountLimit.ConcurrentExecutions != 1000 || settings.AccountUsage.FunctionCount != 1 || settings.AccountUsage.TotalCodeSize != int64(len(lambdatest.Packed())) {
		t.Errorf("settings = %+v %+v, %v", settings.AccountLimit, settings.AccountUsage, err)
	}
	if err := h.Reserve("f", 0); err != nil {
		t.Fatal(err)
	}
	_, err = h.TryInvoke(t.Context(), "f", "{}")
	wantThrottle(t, err, types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded)
	got, err := h.Lambda.GetFunctionConcurrency(t.Context(), &lambda.GetFunctionConcurrencyInput{FunctionName: aws.String("f")})
	if err != nil || got.ReservedConcurrentExecutions == nil || *got.ReservedConcurrentExecutions != 0 {
		t.Errorf("concurrency = %+v, %v", got, err)
	}
	if _, err := h.Lambda.DeleteFunctionConcurrency(t.Context(), &lambda.DeleteFunctionConcurrencyInput{FunctionName: aws.String("f")}); err != nil {
		t.Fatal(err)
	}
	got, err = h.Lambda.GetFunctionConcurrency(t.Context(), &lambda.GetFunctionConcurrencyInput{FunctionName: aws.String("f")})
	if err != nil || got.ReservedConcurrentExecutions != nil {
		t.Errorf("concurrency = %+v, %v", got, err)
	}
	h.Invoke("f", "{}")
}

// Two invocations at a time run in two sandboxes; a third is one too many.
func TestConcurrencyLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		account  int
		reserved int32
		reason   types.ThrottleReason
	}{
		{"reserved", 1000, 2, types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded},
		{"account", 2, 0, types.ThrottleReasonConcurrentInvocationLimitExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := start(t, Options{Concurrency: test.account})
			s := shake(h)
			h.Deploy("f", nil)
			if test.reserved > 0 {
				if err := h.Reserve("f", test.reserved); err != nil {
					t.Fatal(err)
				}
			}
			errs := make(chan error, 2)
			for i := range 2 {
				go func() {
					_, err := h.TryInvoke(t.Context(), "f", fmt.Sprintf(`{"Do":"get","Wait":"%s/%d"}`, inside, i))
					errs <- err
				}()
			}
			for range 2 {
				select {
				case <-s.reached:
				case err := <-errs:
					t.Fatalf("invocation ended early: %v\n%s", err, h.Log.String())
				}
			}
			_, err := h.TryInvoke(t.Context(), "f", "{}")
			wantThrottle(t, err, test.reason)
			s.goOn <- struct{}{}
			s.goOn <- struct{}{}
			for range 2 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			h.Invoke("f", "{}")
		})
	}
}

// One at a time with a limit of one never throttles: an answer means that the sandbox is free.
func TestOneAfterTheOther(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.answerGrace = time.Minute // however busy the machine is
	h.Deploy("f", nil)
	if err := h.Reserve("f", 1); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, err := h.Lambda.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`1`)}); err != nil {
			t.Fatal(err)
		}
	}
}

// An invocation that began before an update ends on the old version; the next runs the new one.
func TestUpdateInFlight(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	s := shake(h)
	h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.Environment = lambdatest.Vars("WHICH", "old") })
	done := make(chan error)
	go func() {
		_, err := h.TryInvoke(t.Context(), "f", `{"Do":"get","Wait":"`+inside+`/"}`)
		done <- err
	}()
	<-s.reached
	_, err := h.Lambda.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Environment: lambdatest.Vars("WHICH", "new")})
	if err != nil {
		t.Fatal(err)
	}
	h.Updated("f")
	if got := string(h.Invoke("f", `{"Do":"sh","Text":"echo $WHICH"}`).Payload); got != "new" {
		t.Errorf("answer = %q", got)
	}
	s.goOn <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
	h.idle(post{"f", latest})
}

// idle waits until a version has one sandbox, and that is free: an invocation has
// told everything of itself a moment before.
func (h *harness) idle(at post) {
	h.t.Helper()
	lambdatest.WaitFor(h.t, "one free sandbox", func() bool {
		h.fleet.mu.Lock()
		defer h.fleet.mu.Unlock()
		q := h.fleet.squads[at]
		return q != nil && q.busy == 0 && len(q.idle) == 1
	})
}

// Many clients of several functions at once, with updates going on.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	h := start(t, Options{Concurrency: 8})
	for i := range 3 {
		h.Deploy(fmt.Sprintf("f%d", i), nil)
	}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			for j := range 20 {
				want := fmt.Sprintf(`"%d-%d"`, i, j)
				out, err := h.TryInvoke(t.Context(), fmt.Sprintf("f%d", (i+j)%3), want)
				var throttle *types.TooManyRequestsException
				if errors.As(err, &throttle) {
					continue
				}
				if err != nil || string(out.Payload) != want || out.FunctionError != nil {
					t.Errorf("%v, %v; want %s", out, err, want)
				}
			}
		})
	}
	for range 5 {
		_, err := h.Lambda.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f0"), Description: aws.String("again")})
		if err != nil {
			t.Error(err)
		}
		h.Updated("f0")
	}
	wg.Wait()
}

func TestIdleIsBounded(t *testing.T) {
	t.Parallel()
	f := newFleet(slog.New(slog.DiscardHandler), func(string) {})
	version := &live{ID: "1"}
	var leases []*lease
	for range 3 {
		l, _, err := f.acquire(post{"f", latest}, version, nil, 3)
		if err != nil {
			t.Fatal(err)
		}
		leases = append(leases, l)
	}
	_, _, err := f.acquire(post{"f", latest}, version, nil, 3)
	wantReason(t, err, "ConcurrentInvocationLimitExceeded")
	for _, l := range leases {
		f.release(l)
	}
	if f.unreserved != 0 || f.squads[post{"f", latest}].busy != 0 || len(f.leases) != 0 {
		t.Errorf("fleet = %+v", f)
	}
}

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	var api *apiError
	if !errors.As(err, &api) || api.reason != reason {
		t.Errorf("error = %v, want reason %s", err, reason)
	}
}
