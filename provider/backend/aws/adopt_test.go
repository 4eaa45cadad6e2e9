package aws

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// TestStatusOfAnAdoptedFunction takes from Lambda when it was changed last, and
// whether it can be invoked.
func TestStatusOfAnAdoptedFunction(t *testing.T) {
	changed := time.Date(2026, 11, 28, 14, 17, 54, 0, time.UTC)
	for state, available := range map[lambdatypes.State]uint64{
		"":                        1, // as in a list
		lambdatypes.StateActive:   1,
		lambdatypes.StateInactive: 1, // an invocation wakes it
		lambdatypes.StatePending:  0,
		lambdatypes.StateFailed:   0,
	} {
		f := &found{name: backend.Name{Namespace: "openfaas-fn", Function: "legacy"}, adopted: true, config: lambdatypes.FunctionConfiguration{
			State: state, Runtime: lambdatypes.RuntimePython313, MemorySize: aws.Int32(512), LastModified: aws.String(changed.Format(lastModified)),
		}}
		status := f.foreignStatus()
		if !status.CreatedAt.Equal(changed) || status.Replicas != 1 || status.AvailableReplicas != available || status.Image != "python3.13" || status.Limits.Memory != "512Mi" {
			t.Errorf("state %q: %+v", state, status)
		}
	}
}

// TestWhatIsAdoptedNoMoreIsNotInvoked takes the tag away from a function that was
// invoked just before.
func TestWhatIsAdoptedNoMoreIsNotInvoked(t *testing.T) {
	f := newFakeLambda(t)
	theirs := &fakeFunction{tags: map[string]string{tagAdopt: ""}, config: map[string]any{"FunctionName": "hello", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:hello"}}
	f.functions["hello"] = theirs
	invoke := func() error {
		answer, err := f.Invoke(t.Context(), hello, httptest.NewRequestWithContext(t.Context(), "POST", "/", nil))
		if err == nil {
			err = answer.Body.Close()
		}
		return err
	}
	if err := invoke(); err != nil {
		t.Fatal(err)
	}
	delete(theirs.tags, tagAdopt)
	if _, err := f.Status(t.Context(), hello); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("status: %v", err)
	}
	if err := invoke(); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("invocation: %v", err)
	}
}
